-- What others told us, with history, so that any past instant can be judged by what was true then.
-- A version is kept once, whenever it comes; the newest one is the present.
CREATE TABLE ticket_versions (
    ticket_id uuid NOT NULL,
    version bigint NOT NULL,
    site_id uuid NOT NULL,
    contractor_id uuid NOT NULL,
    -- Site time of the fact: from then on this version was in force.
    effective_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('DRAFT', 'ACTIVE', 'CANCELLED')),
    time_zone text NOT NULL,
    area_ids uuid[] NOT NULL,
    worker_ids uuid[] NOT NULL,
    PRIMARY KEY (ticket_id, version)
);
CREATE TABLE day_versions (
    daily_ticket_id uuid NOT NULL,
    version bigint NOT NULL,
    ticket_id uuid NOT NULL,
    site_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('DRAFT', 'PUBLISHED', 'IN_PROGRESS', 'EXPIRED', 'CANCELLED')),
    -- The span in which the day is one of "today's"; the window lies in it.
    live_start timestamptz NOT NULL,
    live_end timestamptz NOT NULL,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    deadline_at timestamptz NOT NULL,
    PRIMARY KEY (daily_ticket_id, version)
);
CREATE INDEX day_versions_of_ticket ON day_versions (ticket_id, version);
CREATE INDEX day_versions_live ON day_versions (site_id, live_end, live_start);
-- Who was ever named on a ticket: finds a worker's tickets without reading everyone's.
CREATE TABLE ticket_workers (
    worker_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    site_id uuid NOT NULL,
    PRIMARY KEY (worker_id, ticket_id)
);

CREATE TABLE area_versions (
    area_id uuid NOT NULL,
    version bigint NOT NULL,
    site_id uuid NOT NULL,
    effective_at timestamptz NOT NULL,
    access_group_id text,
    PRIMARY KEY (area_id, version)
);
CREATE INDEX area_versions_group ON area_versions (access_group_id);

-- Workers belong to no site.
CREATE TABLE worker_versions (
    worker_id uuid NOT NULL,
    version bigint NOT NULL,
    effective_at timestamptz NOT NULL,
    face_id text,
    site_ids uuid[] NOT NULL,
    contractor_ids uuid[] NOT NULL,
    PRIMARY KEY (worker_id, version)
);
CREATE INDEX worker_versions_face ON worker_versions (face_id);
-- The end may be heard of before the beginning.
CREATE TABLE bindings (
    binding_id uuid PRIMARY KEY,
    worker_id uuid NOT NULL,
    bound_at timestamptz,
    unbound_at timestamptz
);
CREATE INDEX bindings_worker ON bindings (worker_id);

CREATE TABLE completions (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    completed_at timestamptz NOT NULL,
    -- As training judged it, by the deadline in force then.
    in_time boolean NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (daily_ticket_id, worker_id)
);
-- Late ones let in by hand.
CREATE TABLE releases (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    released_by text NOT NULL,
    reason text NOT NULL,
    released_at timestamptz NOT NULL,
    PRIMARY KEY (daily_ticket_id, worker_id)
);

CREATE TABLE devices (
    device_id text PRIMARY KEY,
    site_id uuid NOT NULL,
    area_ids uuid[] NOT NULL,
    -- Which directions it tells apart.
    direction text NOT NULL CHECK (direction IN ('both', 'in_only', 'none')),
    version bigint NOT NULL
);
-- Whether a door could decide: the last sign of each kind in each minute. All signs are kept apart by kind, so that
-- they may come in any order.
CREATE TABLE door_signs (
    device_id text NOT NULL,
    area_id uuid NOT NULL,
    failed boolean NOT NULL,
    minute timestamptz NOT NULL,
    site_id uuid NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, area_id, failed, minute)
);
CREATE INDEX door_signs_area ON door_signs (area_id, minute);

-- What doors should hold, what was sent, and what they were seen to hold.
CREATE TABLE grants (
    grant_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    contractor_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    area_id uuid NOT NULL,
    -- The aim. Group and face are empty while not heard of; the grant waits for them.
    access_group_id text,
    face_id text,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    time_zone text NOT NULL,
    -- Counts changes of the aim and of being live: an answer of the door to an earlier one counts for nothing.
    revision bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('PENDING_SYNC', 'SYNCED', 'SYNC_FAILED', 'REVOKED')),
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    -- When a door was last seen to hold it as it should.
    proved_at timestamptz,
    revoked_at timestamptz,
    revoke_reason text CHECK (revoke_reason IN ('CANCELLED', 'REMOVED', 'AREA_CHANGED', 'EXPIRED')),
    revocation_proved_at timestamptz,
    -- Failed attempts since the aim changed or the door was seen right.
    attempts integer NOT NULL,
    last_error text,
    -- Site time of the next push or removal; empty when there is nothing to do.
    due_at timestamptz,
    -- Who is at it, in the system's time.
    lease_id uuid,
    lease_until timestamptz,
    -- Of the fact that made or last changed it; the push is a child of it.
    traceparent text,
    version bigint NOT NULL,
    UNIQUE (daily_ticket_id, worker_id, area_id),
    CHECK ((status = 'REVOKED') = (revoked_at IS NOT NULL)),
    CHECK ((status = 'REVOKED') = (revoke_reason IS NOT NULL)),
    CHECK (status = 'REVOKED' OR revocation_proved_at IS NULL),
    CHECK (status <> 'SYNCED' OR proved_at IS NOT NULL),
    CHECK ((lease_id IS NULL) = (lease_until IS NULL))
);
CREATE INDEX grants_due ON grants (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX grants_lease ON grants (lease_id) WHERE lease_id IS NOT NULL;
CREATE INDEX grants_group ON grants (access_group_id, grant_id) WHERE status <> 'REVOKED';
CREATE INDEX grants_worker ON grants (worker_id, area_id);
CREATE INDEX grants_site ON grants (site_id, created_at DESC, grant_id DESC);
-- The spans in which a door was known to hold a grant as it should.
CREATE TABLE proofs (
    grant_id uuid NOT NULL REFERENCES grants,
    site_id uuid NOT NULL,
    proved_at timestamptz NOT NULL,
    lost_at timestamptz
);
CREATE INDEX proofs_grant ON proofs (grant_id);
CREATE UNIQUE INDEX proofs_open ON proofs (grant_id) WHERE lost_at IS NULL;

-- Which grants changed what doors should hold, in the order of their commits within a site.
CREATE TABLE door_changes (
    position bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    site_id uuid NOT NULL,
    access_group_id text NOT NULL,
    grant_id uuid NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX door_changes_group ON door_changes (access_group_id, position);
-- One row: which log this is (another one after a rebuild), and up to where it was cut off.
CREATE TABLE door_log (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch uuid NOT NULL,
    cut_at bigint NOT NULL
);
INSERT INTO door_log (epoch, cut_at) VALUES (gen_random_uuid(), 0);

-- What was decided online, and on which facts.
CREATE TABLE decisions (
    decision_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    area_id uuid NOT NULL,
    device_id text NOT NULL,
    face_id text NOT NULL,
    worker_id uuid,
    direction text NOT NULL,
    -- The device's time, recorded only; ours decided.
    asked_at timestamptz,
    decided_at timestamptz NOT NULL,
    allow boolean NOT NULL,
    reason_code text,
    facts jsonb NOT NULL,
    decision jsonb NOT NULL,
    CHECK (allow = (reason_code IS NULL))
);
CREATE INDEX decisions_site ON decisions (site_id, decided_at);
-- Refusals whose door gave no known reason, and on which facts they were explained.
CREATE TABLE explanations (
    passage_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    as_of timestamptz NOT NULL,
    explained_at timestamptz NOT NULL,
    reason_code text NOT NULL,
    facts jsonb NOT NULL,
    decision jsonb NOT NULL
);

SELECT protect_by_site('ticket_versions', 'SELECT, INSERT');
SELECT protect_by_site('day_versions', 'SELECT, INSERT');
SELECT protect_by_site('ticket_workers', 'SELECT, INSERT');
SELECT protect_by_site('area_versions', 'SELECT, INSERT');
SELECT protect_global('worker_versions', 'SELECT, INSERT');
SELECT protect_global('bindings', 'SELECT, INSERT, UPDATE');
SELECT protect_by_site('completions', 'SELECT, INSERT, UPDATE');
SELECT protect_by_site('releases', 'SELECT, INSERT');
SELECT protect_by_site('devices', 'SELECT, INSERT, UPDATE');
SELECT protect_by_site('door_signs', 'SELECT, INSERT, UPDATE');
SELECT protect_by_site('grants', 'SELECT, INSERT, UPDATE');
SELECT protect_by_site('proofs', 'SELECT, INSERT, UPDATE');
SELECT protect_by_site('door_changes', 'SELECT, INSERT, DELETE');
SELECT protect_global('door_log', 'SELECT, UPDATE');
SELECT protect_by_site('decisions', 'SELECT, INSERT');
SELECT protect_by_site('explanations', 'SELECT, INSERT');
