-- Who runs a job now. Times are the system's, never a site's.
CREATE TABLE job_leases (
    job text PRIMARY KEY,
    holder uuid NOT NULL,
    -- Counts take-overs: a holder that slept through its lease finds another epoch and writes nothing.
    epoch bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
SELECT protect_global('job_leases');

-- One row a slot: a slot runs once, whoever runs it. Slots are site time. An event job's slots are written by what
-- triggers them, the others as they begin.
CREATE TABLE job_runs (
    job text NOT NULL,
    slot timestamptz NOT NULL,
    -- Tells apart what was triggered at one instant; empty for jobs that time triggers.
    key text NOT NULL DEFAULT '',
    -- The trace a trigger belongs to.
    traceparent text,
    -- Empty, and no attempts, until it first runs.
    holder uuid,
    attempts integer NOT NULL,
    started_at timestamptz,
    -- Empty while it runs, and after a failure until it ran well or was given up.
    finished_at timestamptz,
    -- Not before this instant is a failed slot tried again; system time.
    retry_at timestamptz,
    -- How many earlier slots were missed and are made good by this one.
    missed bigint NOT NULL,
    outcome text,
    UNIQUE (job, slot, key)
);
SELECT protect_global('job_runs');
-- An event job looks here often, and what has run stays.
CREATE INDEX job_runs_unfinished ON job_runs (job, slot) WHERE finished_at IS NULL;
