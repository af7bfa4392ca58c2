-- What follows finds this schema's tables, whoever calls it.
SELECT set_config('search_path', current_schema() || ', pg_temp', true);

-- Makes the partitions of today and the next days and drops those of days long past, unless a run in them has not
-- ended: the one or, when nothing is to be made, the other. Called again, also by several processes at once, it does
-- what is left to do. It waits for nobody longer than its lock time-out, so that whoever queues up behind it waits no
-- longer either; then it fails, and is tried again.
--
-- `today` is the site's, which may have been set or be wrong. A day is long past when it is so by the database's clock
-- too: a site clock far ahead drops nothing.
CREATE OR REPLACE FUNCTION keep_job_runs(today date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '300ms' AS $$
DECLARE
    ahead CONSTANT integer := 3;
    kept CONSTANT integer := 30;
    oldest CONSTANT date := least(today, (clock_timestamp() AT TIME ZONE 'UTC')::date) - kept;
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
        -- Keeps writers out until it is attached: one that was on its way to the rest would be refused there.
        LOCK TABLE ONLY job_runs IN SHARE ROW EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE job_runs INCLUDING DEFAULTS)', part);
        EXECUTE format(
            'WITH moved AS (DELETE FROM job_runs_rest WHERE slot >= $1 AND slot < $2 RETURNING *)
             INSERT INTO %I SELECT * FROM moved', part)
        USING starts, ends;
        EXECUTE format('ALTER TABLE job_runs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, starts, ends);
    END LOOP;
    IF part IS NOT NULL THEN
        RETURN; -- Dropping locks out readers as well, and may wait.
    END IF;
    FOR part IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'job_runs'::regclass AND relname ~ '^job_runs_[0-9]{8}$'
          AND to_date(right(relname, 8), 'YYYYMMDD') < oldest
    LOOP
        -- Before the look, so that no trigger comes between it and the drop.
        LOCK TABLE ONLY job_runs IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE finished_at IS NULL)', part) INTO unfinished;
        IF NOT unfinished THEN
            EXECUTE format('DROP TABLE %I', part);
        END IF;
    END LOOP;
    DELETE FROM job_runs_rest WHERE slot < oldest::timestamp AT TIME ZONE 'UTC' AND finished_at IS NOT NULL;
END
$$;
