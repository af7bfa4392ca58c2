-- Facts on their way out. A row is written in the transaction of the change it tells of and stays after it was sent:
-- it is the record, the stream a copy that can be rebuilt.
--
-- A partition a day, by the instant an event's id carries (UUIDv7): old days are dropped whole, and ids stay unique.
CREATE TABLE outbox (
    -- Drawn after the aggregate's row is locked, so the order of one aggregate's facts is the order of this number.
    seq bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    event_id uuid PRIMARY KEY,
    context text NOT NULL,
    name text NOT NULL,
    -- A site's id, '-' where no site applies: the last part of the subject.
    site text NOT NULL,
    payload bytea NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    -- Where the stream holds it. It keeps this place when the stream is rebuilt.
    stream_seq bigint,
    -- Set where the fact is also the newest state of an aggregate: its kind and id, and whether it has ended with it.
    state_kind text,
    state_id text,
    state_ends boolean NOT NULL DEFAULT false,
    -- A state told again: it goes to the state stream alone, and has no place among the facts.
    state_only boolean NOT NULL DEFAULT false,
    CHECK ((sent_at IS NOT NULL AND NOT state_only) = (stream_seq IS NOT NULL)),
    CHECK ((state_kind IS NULL) = (state_id IS NULL)),
    CHECK (state_kind IS NOT NULL OR NOT state_only)
) PARTITION BY RANGE (event_id);
CREATE INDEX outbox_unsent ON outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_place ON outbox (stream_seq) WHERE stream_seq IS NOT NULL;
-- Ids of days that have no partition: of a clock that is wrong by days, or of no clock at all.
CREATE TABLE outbox_rest PARTITION OF outbox DEFAULT;
SELECT protect_global('outbox', 'SELECT, INSERT, UPDATE');

-- One row a stream: who leads its relay and how far the stream is known. A leader marks only under its own epoch.
CREATE TABLE relay_state (
    context text PRIMARY KEY,
    epoch bigint NOT NULL,
    leader uuid NOT NULL,
    last_stream_seq bigint NOT NULL,
    -- Whether an alert of a loss stands.
    loss_told boolean NOT NULL DEFAULT false,
    -- The last sequence of the stream of states: when that ends before it, states were lost.
    last_state_seq bigint NOT NULL DEFAULT 0,
    -- Facts with ids in this range are still to be sent once more, because somebody asked for it.
    replay_from uuid,
    replay_to uuid,
    CHECK ((replay_from IS NULL) = (replay_to IS NULL))
);
SELECT protect_global('relay_state', 'SELECT, INSERT, UPDATE');

-- The telling of every live aggregate that runs, or ran last.
CREATE TABLE announcements (
    context text PRIMARY KEY,
    asked_at timestamptz NOT NULL,
    -- Up to where it has come: kind by kind, in the order of their ids. Empty at the beginning.
    kind text NOT NULL,
    after text NOT NULL,
    told bigint NOT NULL,
    done_at timestamptz
);
SELECT protect_global('announcements', 'SELECT, INSERT, UPDATE');

-- Consumers that know how things stood before what they follow. One that is missing is new, or was wiped.
CREATE TABLE consumers (
    consumer text NOT NULL,
    context text NOT NULL,
    -- The kinds of aggregates whose states it has read.
    kinds text[] NOT NULL,
    primed_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, context)
);
SELECT protect_global('consumers', 'SELECT, INSERT, UPDATE');

-- Events whose effect is in this schema. The row commits with the effect, so an effect happens once.
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    taken_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, event_id)
) PARTITION BY RANGE (event_id);
CREATE TABLE inbox_rest PARTITION OF inbox DEFAULT;
SELECT protect_global('inbox', 'SELECT, INSERT, DELETE');

-- Events a handler could not take, until a person puts them back.
CREATE TABLE parked_events (
    consumer text NOT NULL,
    -- Whose event it is: a consumer of several contexts has a handler for each.
    context text NOT NULL,
    event_id uuid NOT NULL,
    subject text NOT NULL,
    payload bytea NOT NULL,
    traceparent text,
    error text NOT NULL,
    attempts integer NOT NULL,
    parked_at timestamptz NOT NULL,
    -- Set by a person; its consumer then tries once more.
    asked_back_at timestamptz,
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX parked_events_asked_back ON parked_events (consumer, context, event_id) WHERE asked_back_at IS NOT NULL;
SELECT protect_global('parked_events');

-- The first id an event of this instant can have.
CREATE FUNCTION first_event_id(at timestamptz) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- The day, in UTC, that an event's id carries.
CREATE FUNCTION day_of_event(id uuid) RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AT TIME ZONE 'UTC')::date
$$;

-- What follows finds this schema's tables, whoever calls it.
SELECT set_config('search_path', current_schema() || ', pg_temp', true);

-- Makes one missing day of the outbox or the inbox, or drops one that is no longer kept, and names it; NULL when
-- nothing is left to do. One step a transaction, and a step waits for nobody longer than its lock time-out, so that
-- whoever queues up behind it waits no longer either; then it fails, and is tried again later.
--   ahead  days after that of `at` that have a partition already
--   kept   days before it that stay; a day with unsent facts stays longer
CREATE FUNCTION keep_days(parent text, at timestamptz, ahead integer, kept integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '300ms' AS $$
DECLARE
    today date := (at AT TIME ZONE 'UTC')::date;
    missing date;
    part text;
    rest text := parent || '_rest';
    unsent boolean := false;
BEGIN
    IF parent NOT IN ('outbox', 'inbox') THEN
        RAISE EXCEPTION '% has no days', parent;
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('keep_days ' || current_schema())) THEN
        RETURN NULL;
    END IF;

    -- A day ahead, or a day within what is kept whose rows came before its partition.
    EXECUTE format(
        'SELECT min(day) FROM (
             SELECT ($1 + ahead) AS day FROM generate_series(0, $2) AS ahead
             UNION ALL
             (SELECT day_of_event(event_id) FROM %I
              WHERE event_id >= first_event_id(($1 - $3)::timestamp AT TIME ZONE ''UTC'')
                AND event_id < first_event_id(($1 + $2 + 1)::timestamp AT TIME ZONE ''UTC'')
              ORDER BY event_id LIMIT 1)
         ) AS wanted
         WHERE day IS NOT NULL AND to_regclass($4 || to_char(day, ''_YYYYMMDD'')) IS NULL', rest)
    INTO missing USING today, ahead, kept, parent;
    IF missing IS NOT NULL THEN
        part := parent || to_char(missing, '_YYYYMMDD');
        -- Keeps writers out until it is attached: one that was on its way to the rest would be refused there.
        EXECUTE format('LOCK TABLE ONLY %I IN SHARE ROW EXCLUSIVE MODE', parent);
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', rest);
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parent);
        EXECUTE format(
            'WITH moved AS (
                 DELETE FROM %I WHERE event_id >= first_event_id($1) AND event_id < first_event_id($2) RETURNING *)
             INSERT INTO %I SELECT * FROM moved', rest, part)
        USING missing::timestamp AT TIME ZONE 'UTC', (missing + 1)::timestamp AT TIME ZONE 'UTC';
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
            first_event_id(missing::timestamp AT TIME ZONE 'UTC'),
            first_event_id((missing + 1)::timestamp AT TIME ZONE 'UTC'));
        RETURN part;
    END IF;

    -- A caller whose clock is far from the database's drops nothing: one of the two is wrong.
    IF abs(extract(epoch FROM at - clock_timestamp())) > 2 * 86400 THEN
        RETURN NULL;
    END IF;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND c.relname ~ '_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - kept
        ORDER BY c.relname
    LOOP
        IF parent = 'outbox' THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE sent_at IS NULL)', part) INTO unsent;
            CONTINUE WHEN unsent;
        END IF;
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent);
        IF parent = 'outbox' THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE sent_at IS NULL)', part) INTO unsent;
            CONTINUE WHEN unsent;
        END IF;
        EXECUTE format('DROP TABLE %I', part);
        RETURN part;
    END LOOP;
    RETURN NULL;
END
$$;

DO $$
DECLARE
    signature text := 'keep_days(text, timestamptz, integer, integer)';
    parent text;
BEGIN
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    EXECUTE format(
        'GRANT EXECUTE ON FUNCTION %s TO sitepass_%s_app, sitepass_%s_system',
        signature, current_schema(), current_schema());
    -- Today and tomorrow; the relays go on from there.
    FOREACH parent IN ARRAY ARRAY['outbox', 'inbox'] LOOP
        WHILE keep_days(parent, clock_timestamp(), 1, 0) IS NOT NULL LOOP
        END LOOP;
    END LOOP;
END
$$;
