-- Door controllers: who they are, how they are known again, and when they were last heard of. Times are site time.
CREATE TABLE devices (
    -- The vendor's name for it, one in the whole installation.
    device_id text PRIMARY KEY,
    site_id uuid NOT NULL,
    -- What the sealed secret is tied to: moved to another row it does not open.
    secret_id uuid NOT NULL UNIQUE,
    secret bytea NOT NULL,
    name text NOT NULL,
    area_ids uuid[] NOT NULL CHECK (cardinality(area_ids) > 0),
    -- Which directions it tells apart.
    direction text NOT NULL CHECK (direction IN ('both', 'in_only', 'none')),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'INACTIVE')),
    registered_at timestamptz NOT NULL,
    firmware text NOT NULL,
    -- Events it says it still has to report.
    spool bigint NOT NULL,
    last_seen_at timestamptz,
    -- Empty while it is offline.
    online_since timestamptz,
    -- Its clock minus ours, as its heartbeats let us estimate.
    clock_error_ms bigint NOT NULL,
    -- Its numbering of events: the highest one seen, and the ranges below it that never came.
    highest_seq bigint,
    gap_from bigint[] NOT NULL,
    gap_to bigint[] NOT NULL,
    -- Counts what others are told of, not each heartbeat.
    version bigint NOT NULL,
    CHECK (cardinality(gap_from) = cardinality(gap_to)),
    CHECK (online_since IS NULL OR last_seen_at IS NOT NULL)
);
CREATE INDEX devices_site ON devices (site_id, device_id);
CREATE INDEX devices_silent ON devices (last_seen_at) WHERE online_since IS NOT NULL;

-- Numbers used once, kept for as long as a request that bears them would be fresh. Times are the system's.
CREATE TABLE nonces (
    device_id text NOT NULL,
    nonce text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, nonce)
);
CREATE INDEX nonces_age ON nonces (expires_at);

-- What doors saw. Never changed: a refusal's computed reason stands beside it.
CREATE TABLE passages (
    passage_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    device_id text NOT NULL,
    area_id uuid NOT NULL,
    -- The device's number of the event; 0 where its vendor gives none, then the delivery stands for it.
    seq bigint NOT NULL CHECK (seq >= 0),
    delivery text NOT NULL,
    -- As the door said, and corrected by its estimated clock error.
    event_time timestamptz NOT NULL,
    corrected_time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    -- Empty where the door recognised no face.
    face_id text,
    worker_id uuid,
    direction text NOT NULL CHECK (direction IN ('IN', 'OUT')),
    result text NOT NULL CHECK (result IN ('PASS', 'DENY')),
    -- What the door said; may be empty or unknown.
    reported_reason text NOT NULL,
    -- The same, where it is one of ours and the door refused.
    reason_code text,
    CHECK ((seq = 0) = (delivery <> '')),
    CHECK (reason_code IS NULL OR result = 'DENY'),
    CONSTRAINT passages_event UNIQUE (device_id, seq, delivery)
);
CREATE INDEX passages_site ON passages (site_id, corrected_time DESC, passage_id DESC);
CREATE INDEX passages_worker ON passages (worker_id, corrected_time DESC, passage_id DESC);
CREATE INDEX passages_device ON passages (device_id, corrected_time DESC, passage_id DESC);

-- Why a door that gave no known reason refused, as access-grant computed it. May come before its passage.
CREATE TABLE explanations (
    passage_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    reason_code text NOT NULL,
    detail text NOT NULL,
    as_of timestamptz
);

-- Directory's areas and workers, newest version.
CREATE TABLE areas (
    area_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    access_group_id text,
    active boolean NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE workers (
    worker_id uuid PRIMARY KEY,
    face_id text,
    -- Where and for whom they work: one place in both lists is one engagement.
    site_ids uuid[] NOT NULL,
    contractor_ids uuid[] NOT NULL,
    version bigint NOT NULL,
    CHECK (cardinality(site_ids) = cardinality(contractor_ids))
);
CREATE INDEX workers_face ON workers (face_id);

SELECT protect_by_site('devices', 'SELECT, INSERT, UPDATE');
SELECT protect_global('nonces', 'SELECT, INSERT, UPDATE, DELETE');
SELECT protect_by_site('passages', 'SELECT, INSERT');
SELECT protect_by_site('explanations', 'SELECT, INSERT');
SELECT protect_by_site('areas', 'SELECT, INSERT, UPDATE');
SELECT protect_global('workers', 'SELECT, INSERT, UPDATE');
