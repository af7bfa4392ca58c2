-- Who did what, and everything that happened: appended, never changed, each entry sealed with the one before it.
CREATE TABLE entries (
    -- The nil id stands for "no site": those entries have a chain of their own.
    site_id uuid NOT NULL,
    -- From 1, without gaps.
    position bigint NOT NULL CHECK (position > 0),
    event_id uuid NOT NULL UNIQUE,
    event_type text NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    action text NOT NULL,
    target_type text NOT NULL,
    target_id text NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    reason text NOT NULL,
    address text NOT NULL,
    trace_id text NOT NULL,
    -- Site time.
    at timestamptz NOT NULL,
    previous_hash bytea NOT NULL CHECK (length(previous_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (site_id, position)
);
CREATE INDEX entries_actor ON entries (site_id, actor, position);
CREATE INDEX entries_target ON entries (site_id, target_id, position);
CREATE INDEX entries_action ON entries (site_id, action, position);
SELECT protect_by_site('entries', 'SELECT, INSERT');

-- The head of each chain; locked while an entry is appended.
CREATE TABLE heads (
    site_id uuid PRIMARY KEY,
    position bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
SELECT protect_by_site('heads', 'SELECT, INSERT, UPDATE');

-- Rights refuse the service; this refuses whoever owns the table, until they drop it.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
