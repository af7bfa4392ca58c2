-- What directory says of each site's checks: a read copy, the newest version of it.
CREATE TABLE sites (
    site_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    check_min_sec integer NOT NULL CHECK (check_min_sec > 0),
    check_max_sec integer NOT NULL CHECK (check_max_sec >= check_min_sec),
    check_answer_sec integer NOT NULL CHECK (check_answer_sec > 0)
);
SELECT protect_by_site('sites');

-- What ticket says: a read copy, the newest version of each ticket.
CREATE TABLE tickets (
    ticket_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    contractor_id uuid NOT NULL,
    version bigint NOT NULL,
    video_rule text NOT NULL CHECK (video_rule IN ('ALL', 'ANY')),
    worker_ids uuid[] NOT NULL,
    video_ids uuid[] NOT NULL
);
SELECT protect_by_site('tickets');

CREATE TABLE days (
    daily_ticket_id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES tickets,
    site_id uuid NOT NULL,
    date date NOT NULL,
    status text NOT NULL CHECK (status IN ('DRAFT', 'PUBLISHED', 'IN_PROGRESS', 'EXPIRED', 'CANCELLED')),
    deadline_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX days_ticket ON days (ticket_id);
SELECT protect_by_site('days');

CREATE TABLE videos (
    video_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    title text NOT NULL,
    duration_sec integer NOT NULL CHECK (duration_sec > 0),
    size_bytes bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('ACTIVE', 'INACTIVE')),
    version bigint NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX videos_site ON videos (site_id, created_at);
SELECT protect_by_site('videos');

-- Verifications begun at a face provider. The token was shown once; only its hash is here.
-- Times are the system's. No name and no number: directory is asked again when the outcome is.
CREATE TABLE face_verifications (
    face_verification_id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    site_id uuid NOT NULL,
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('START', 'CHECK')),
    check_id uuid,
    provider text NOT NULL,
    verify_id text NOT NULL,
    out_seq_no text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CHECK ((purpose = 'CHECK') = (check_id IS NOT NULL))
);
SELECT protect_by_site('face_verifications', 'SELECT, INSERT, UPDATE');

-- One watching of one video. Updated every ten seconds while it lasts: no changing column is indexed but the status.
CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    site_id uuid NOT NULL,
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    video_id uuid NOT NULL REFERENCES videos,
    token_hash bytea NOT NULL,
    device text NOT NULL,
    duration_sec integer NOT NULL CHECK (duration_sec > 0),
    answer_sec integer NOT NULL CHECK (answer_sec > 0),
    started_at timestamptz NOT NULL,
    heard_at timestamptz NOT NULL,
    last_seq bigint NOT NULL,
    position_sec integer NOT NULL,
    playing boolean NOT NULL,
    -- Milliseconds that may be played ahead of the clock.
    credit_ms integer NOT NULL,
    -- A bit for each second of the video, the lowest bit of the first byte is second 0.
    watched bytea NOT NULL,
    seeks integer NOT NULL,
    skipped_sec integer NOT NULL,
    -- Counted seconds at which checks are still to come, ascending.
    check_moments integer[] NOT NULL,
    checks_passed integer NOT NULL,
    checks_failed integer NOT NULL,
    check_id uuid,
    check_waited_ms bigint,
    held_from_sec integer,
    held_to_sec integer,
    status text NOT NULL CHECK (status IN ('IN_LEARNING', 'WAITING_VERIFY', 'EXPIRED', 'FAILED', 'COMPLETED')),
    ended_at timestamptz,
    reason text CHECK (reason IN ('CHECK_FAILED', 'CHECK_NOT_ANSWERED', 'REPLACED', 'DAY_CLOSED')),
    CHECK ((status = 'WAITING_VERIFY') = (num_nonnulls(check_id, check_waited_ms, held_from_sec, held_to_sec) = 4)),
    CHECK (num_nonnulls(check_id, check_waited_ms, held_from_sec, held_to_sec) IN (0, 4)),
    CHECK ((status IN ('FAILED', 'COMPLETED')) = (ended_at IS NOT NULL)),
    CHECK ((status = 'FAILED') = (reason IS NOT NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX sessions_one_live_a_person ON sessions (worker_id) WHERE status IN ('IN_LEARNING', 'WAITING_VERIFY');
CREATE INDEX sessions_day ON sessions (daily_ticket_id, worker_id, video_id);
SELECT protect_by_site('sessions', 'SELECT, INSERT, UPDATE');

-- The verdict of a session that ended. Never changed.
CREATE TABLE records (
    record_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    session_id uuid NOT NULL UNIQUE REFERENCES sessions,
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    video_id uuid NOT NULL REFERENCES videos,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    valid_watch_sec integer NOT NULL,
    checks_passed integer NOT NULL,
    checks_failed integer NOT NULL,
    seeks integer NOT NULL,
    skipped_sec integer NOT NULL,
    device text NOT NULL,
    -- How it was proved who learnt.
    proved_by text NOT NULL,
    result text NOT NULL CHECK (result IN ('COMPLETED', 'FAILED')),
    reason text,
    CHECK ((result = 'FAILED') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX records_completed_once ON records (daily_ticket_id, worker_id, video_id) WHERE result = 'COMPLETED';
CREATE INDEX records_worker ON records (worker_id, ended_at);
CREATE INDEX records_day ON records (daily_ticket_id);
SELECT protect_by_site('records', 'SELECT, INSERT');

-- One worker's training of one day: the aggregate the facts are about. Its version numbers them.
CREATE TABLE day_trainings (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    version bigint NOT NULL,
    completed_at timestamptz,
    -- The deadline that was in force at completion.
    deadline_at timestamptz,
    in_time boolean,
    PRIMARY KEY (daily_ticket_id, worker_id),
    CHECK (num_nonnulls(completed_at, deadline_at, in_time) IN (0, 3))
);
SELECT protect_by_site('day_trainings', 'SELECT, INSERT, UPDATE');
