-- What this service runs by itself: one row a job. Leases are system time, slots are site time.
CREATE TABLE jobs (
    job text PRIMARY KEY,
    -- When it runs, for people to read: 'every 60 s', '0 30 5 * * *', 'on event'.
    cadence text NOT NULL,
    -- Where its local times are read; empty where it has none.
    zone text,
    -- The newest slot that was begun: it outlives the rows of its runs.
    last_slot timestamptz,
    -- As the last run saw it, for people to read.
    next_slot timestamptz,
    disabled_at timestamptz,
    disabled_because text,
    -- A slot was given up, an alert raised, and none ran well since.
    alarmed boolean NOT NULL DEFAULT false,
    -- Who runs it, or ran it last; free again when empty or over.
    holder uuid,
    expires_at timestamptz,
    -- Counts take-overs: a holder that slept through its lease finds another epoch and writes nothing.
    epoch bigint NOT NULL DEFAULT 0,
    -- Makes the epoch a part of the row's key, for what a run commits locks the row FOR KEY SHARE: a take-over waits
    -- for that, moving the lease's end does not.
    UNIQUE (job, epoch),
    CHECK (disabled_because IS NULL OR disabled_at IS NOT NULL)
);
SELECT protect_global('jobs', 'SELECT, INSERT, UPDATE');

-- One row a slot: a slot runs once, whoever runs it. An event job's slots are written by what triggers them, a
-- person's by the person, the others as they begin.
CREATE TABLE job_runs (
    job text NOT NULL,
    slot timestamptz NOT NULL,
    -- Tells apart what was triggered at one instant; empty for what time triggers, 'manual:…' for what a person asked.
    key text NOT NULL DEFAULT '',
    -- The trace a trigger belongs to.
    traceparent text,
    -- Whose the newest attempt is, under which epoch of the lease. Empty, and no attempts, until it first runs.
    holder uuid,
    epoch bigint,
    attempts integer NOT NULL,
    -- Of the newest attempt; system time, as all below.
    started_at timestamptz,
    -- Empty while it runs, and after a failure until it ran well or was given up.
    finished_at timestamptz,
    -- Not before this instant is a failed slot tried again.
    retry_at timestamptz,
    -- How many earlier slots were missed and are made good by this one.
    missed bigint NOT NULL,
    outcome text,
    -- Of the newest attempt that failed.
    error text,
    UNIQUE (job, slot, key)
) PARTITION BY RANGE (slot);
-- Days that have no partition: a set clock's, and those of slots made good late.
CREATE TABLE job_runs_rest PARTITION OF job_runs DEFAULT;
SELECT protect_global('job_runs');
-- Runners look here often, and what has run stays.
CREATE INDEX job_runs_unfinished ON job_runs (job, slot) WHERE finished_at IS NULL;

-- What follows finds this schema's tables, whoever calls it.
SELECT set_config('search_path', current_schema() || ', pg_temp', true);

-- Makes the partitions of today and the next days and drops those of days long past, unless a run in them has not
-- ended. Called again, also by several processes at once, it does what is left to do. It waits for nobody longer than
-- its lock time-out, so that whoever queues up behind it waits no longer either; then it fails, and is tried again.
CREATE FUNCTION keep_job_runs(today date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '300ms' AS $$
DECLARE
    ahead CONSTANT integer := 3;
    kept CONSTANT integer := 30;
    oldest CONSTANT timestamptz := (today - kept)::timestamp AT TIME ZONE 'UTC';
    missing date;
    starts timestamptz;
    ends timestamptz;
    part text;
    unfinished boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('keep_job_runs ' || current_schema())) THEN
        RETURN;
    END IF;
    FOR missing IN SELECT today + day FROM generate_series(0, ahead) AS day
                   WHERE to_regclass('job_runs' || to_char(today + day, '_YYYYMMDD')) IS NULL LOOP
        part := 'job_runs' || to_char(missing, '_YYYYMMDD');
        starts := missing::timestamp AT TIME ZONE 'UTC';
        ends := (missing + 1)::timestamp AT TIME ZONE 'UTC';
        -- Made beside and attached: this locks nobody out but those at the rest.
        LOCK TABLE job_runs_rest IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE job_runs INCLUDING DEFAULTS)', part);
        EXECUTE format(
            'WITH moved AS (DELETE FROM job_runs_rest WHERE slot >= $1 AND slot < $2 RETURNING *)
             INSERT INTO %I SELECT * FROM moved', part)
        USING starts, ends;
        EXECUTE format('ALTER TABLE job_runs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, starts, ends);
    END LOOP;
    FOR part IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'job_runs'::regclass AND relname ~ '^job_runs_[0-9]{8}$'
          AND to_date(right(relname, 8), 'YYYYMMDD') < today - kept
    LOOP
        -- Before the look, so that no trigger comes between it and the drop.
        LOCK TABLE ONLY job_runs IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE finished_at IS NULL)', part) INTO unfinished;
        IF NOT unfinished THEN
            EXECUTE format('DROP TABLE %I', part);
        END IF;
    END LOOP;
    DELETE FROM job_runs_rest WHERE slot < oldest AND finished_at IS NOT NULL;
END
$$;
