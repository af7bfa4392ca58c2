-- Who runs a job now. Times are the system's, never a site's.
CREATE TABLE job_leases (
    job text PRIMARY KEY,
    holder uuid NOT NULL,
    -- Counts take-overs: a holder that slept through its lease finds another epoch and writes nothing.
    epoch bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
SELECT protect_global('job_leases');

-- One row a slot: a slot runs once, whoever runs it. Slots are site time.
CREATE TABLE job_runs (
    job text NOT NULL,
    slot timestamptz NOT NULL,
    holder uuid NOT NULL,
    attempts integer NOT NULL,
    started_at timestamptz NOT NULL,
    -- Empty while it runs, and after a failure until it ran well or was given up.
    finished_at timestamptz,
    -- Not before this instant is a failed slot tried again; system time.
    retry_at timestamptz,
    -- How many earlier slots were missed and are made good by this one.
    missed bigint NOT NULL,
    outcome text,
    UNIQUE (job, slot)
);
SELECT protect_global('job_runs');
