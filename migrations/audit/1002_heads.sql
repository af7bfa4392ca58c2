-- What was signed and written outside the database. The files are the proof; these rows only tell that one is missing.
CREATE TABLE checkpoints (
    -- From 1, without gaps.
    number bigint PRIMARY KEY CHECK (number > 0),
    -- The system's time.
    at timestamptz NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
SELECT protect_global('checkpoints', 'SELECT, INSERT');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON checkpoints FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is found broken, so that an alert is raised once and cleared once.
CREATE TABLE alarms (
    about text PRIMARY KEY,
    problem text NOT NULL,
    raised_at timestamptz NOT NULL
);
SELECT protect_global('alarms');

-- An hour in which an account that reaches every site looked at one of them.
CREATE TABLE crossings (
    site_id uuid NOT NULL,
    account_id uuid NOT NULL,
    -- The system's time, the hour's beginning.
    hour timestamptz NOT NULL,
    PRIMARY KEY (site_id, account_id, hour)
);
SELECT protect_by_site('crossings', 'SELECT, INSERT, DELETE');

-- The log is read newest first, by time; each filter finds its entries in that order. Entries that wait to be
-- appended meanwhile wait in their stream.
CREATE INDEX entries_by_time ON entries (site_id, at, position);
CREATE INDEX entries_by_actor ON entries (site_id, actor, at, position);
CREATE INDEX entries_by_target ON entries (site_id, target_id, at, position);
CREATE INDEX entries_by_target_type ON entries (site_id, target_type, at, position);
CREATE INDEX entries_by_action ON entries (site_id, action, at, position);
DROP INDEX entries_actor;
DROP INDEX entries_target;
DROP INDEX entries_action;
