-- Facts on their way out. A row is written in the transaction of the change it tells of and stays after it was sent:
-- it is the record, the stream a copy that can be rebuilt.
CREATE TABLE outbox (
    -- Drawn after the aggregate's row is locked, so the order of one aggregate's facts is the order of this number.
    seq bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    context text NOT NULL,
    name text NOT NULL,
    -- A site's id, '-' where no site applies: the last part of the subject.
    site text NOT NULL,
    payload bytea NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    -- Where the stream holds it; with its last sequence this finds a lost tail.
    stream_seq bigint,
    CHECK ((sent_at IS NULL) = (stream_seq IS NULL))
);
CREATE INDEX outbox_unsent ON outbox (seq) WHERE sent_at IS NULL;
SELECT protect_global('outbox', 'SELECT, INSERT, UPDATE');

-- One row a stream: who leads its relay and how far the stream is known. A leader marks only under its own epoch.
CREATE TABLE relay_state (
    context text PRIMARY KEY,
    epoch bigint NOT NULL,
    leader uuid NOT NULL,
    last_stream_seq bigint NOT NULL
);
SELECT protect_global('relay_state', 'SELECT, INSERT, UPDATE');

-- Events whose effect is in this schema. The row commits with the effect, so an effect happens once.
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    taken_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, event_id)
);
SELECT protect_global('inbox', 'SELECT, INSERT, DELETE');

-- Events a handler could not take, until a person puts them back.
CREATE TABLE parked_events (
    consumer text NOT NULL,
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
SELECT protect_global('parked_events');
