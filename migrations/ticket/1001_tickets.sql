-- A job: dates, areas, workers, videos, and the site's settings as they were when it was made.
CREATE TABLE work_tickets (
    ticket_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    contractor_id uuid NOT NULL,
    title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 100),
    remark text NOT NULL,
    -- Dates and times of day are the site's; both dates belong to it.
    start_date date NOT NULL,
    end_date date NOT NULL,
    access_start_time time NOT NULL,
    access_end_time time NOT NULL,
    -- What the request gave, else the site's default.
    deadline_time time NOT NULL,
    deadline_given boolean NOT NULL,
    time_zone text NOT NULL,
    video_rule text NOT NULL CHECK (video_rule IN ('ALL', 'ANY')),
    publish_now boolean NOT NULL,
    daily_reminder boolean NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    published_by uuid,
    published_at timestamptz,
    cancelled_by uuid,
    cancelled_at timestamptz,
    cancel_reason text,
    -- Grows with every change, the clock's too.
    version bigint NOT NULL CHECK (version > 0),
    UNIQUE (ticket_id, site_id),
    CHECK (start_date <= end_date),
    CHECK (num_nonnulls(published_by, published_at) IN (0, 2)),
    CHECK (num_nonnulls(cancelled_by, cancelled_at, cancel_reason) IN (0, 3))
);
CREATE INDEX work_tickets_by_site ON work_tickets (site_id, start_date DESC, ticket_id DESC);
SELECT protect_by_site('work_tickets');

CREATE TABLE ticket_areas (
    ticket_id uuid NOT NULL,
    site_id uuid NOT NULL,
    area_id uuid NOT NULL,
    position integer NOT NULL,
    PRIMARY KEY (ticket_id, area_id),
    FOREIGN KEY (ticket_id, site_id) REFERENCES work_tickets (ticket_id, site_id)
);
CREATE INDEX ticket_areas_by_area ON ticket_areas (area_id);
SELECT protect_by_site('ticket_areas');

CREATE TABLE ticket_workers (
    ticket_id uuid NOT NULL,
    site_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    position integer NOT NULL,
    PRIMARY KEY (ticket_id, worker_id),
    FOREIGN KEY (ticket_id, site_id) REFERENCES work_tickets (ticket_id, site_id)
);
CREATE INDEX ticket_workers_by_worker ON ticket_workers (worker_id);
SELECT protect_by_site('ticket_workers');

CREATE TABLE ticket_videos (
    ticket_id uuid NOT NULL,
    site_id uuid NOT NULL,
    video_id uuid NOT NULL,
    position integer NOT NULL,
    PRIMARY KEY (ticket_id, video_id),
    FOREIGN KEY (ticket_id, site_id) REFERENCES work_tickets (ticket_id, site_id)
);
SELECT protect_by_site('ticket_videos');

-- One date of a ticket, with the instants its local times mean there.
CREATE TABLE daily_tickets (
    daily_ticket_id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL,
    site_id uuid NOT NULL,
    date date NOT NULL,
    access_start_at timestamptz NOT NULL,
    access_end_at timestamptz NOT NULL,
    deadline_at timestamptz NOT NULL,
    starts_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    published_at timestamptz,
    started_at timestamptz,
    expired_at timestamptz,
    cancelled_at timestamptz,
    cancel_reason text,
    UNIQUE (ticket_id, date),
    FOREIGN KEY (ticket_id, site_id) REFERENCES work_tickets (ticket_id, site_id),
    CHECK (access_start_at < access_end_at),
    CHECK (starts_at < expires_at AND access_end_at <= expires_at),
    CHECK (started_at IS NULL OR published_at IS NOT NULL),
    CHECK (expired_at IS NULL OR started_at IS NOT NULL),
    CHECK (expired_at IS NULL OR cancelled_at IS NULL),
    CHECK ((cancelled_at IS NULL) = (cancel_reason IS NULL))
);
CREATE INDEX daily_tickets_to_start ON daily_tickets (starts_at)
    WHERE published_at IS NOT NULL AND started_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX daily_tickets_to_expire ON daily_tickets (expires_at)
    WHERE started_at IS NOT NULL AND expired_at IS NULL AND cancelled_at IS NULL;
SELECT protect_by_site('daily_tickets');

-- Read copies of other services' facts. A fact may come before the day it is about, so nothing here refers to
-- daily_tickets; each keeps the newest version it was told.

-- How far a worker is with a day: training's and notification's facts.
CREATE TABLE worker_days (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    training_status text NOT NULL DEFAULT 'NOT_STARTED'
        CHECK (training_status IN ('NOT_STARTED', 'IN_LEARNING', 'WAITING_VERIFY', 'COMPLETED', 'FAILED')),
    training_version bigint NOT NULL DEFAULT 0,
    notified_at timestamptz,
    read_at timestamptz,
    PRIMARY KEY (daily_ticket_id, worker_id)
);
SELECT protect_by_site('worker_days');

-- access-grant's facts, one row a grant.
CREATE TABLE grants (
    grant_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    area_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('PENDING_SYNC', 'SYNCED', 'SYNC_FAILED', 'REVOKED')),
    version bigint NOT NULL,
    -- What the last AccessSynced of this grant said about the whole worker-day, and when.
    authorized boolean,
    authorized_at timestamptz,
    revoked_at timestamptz,
    CHECK ((authorized IS NULL) = (authorized_at IS NULL)),
    CHECK ((status = 'REVOKED') = (revoked_at IS NOT NULL))
);
CREATE INDEX grants_by_day ON grants (daily_ticket_id, worker_id);
SELECT protect_by_site('grants');

-- directory's facts. A worker belongs to no single site.
CREATE TABLE worker_bindings (
    worker_id uuid PRIMARY KEY,
    bound boolean NOT NULL,
    -- 0: learnt when a ticket was made, not from a fact.
    version bigint NOT NULL
);
SELECT protect_global('worker_bindings');
