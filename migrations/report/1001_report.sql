-- Read models of other contexts' facts, each at its newest version. Any of it may be dropped and read again.
CREATE TABLE sites (
    site_id uuid PRIMARY KEY,
    time_zone text NOT NULL,
    version bigint NOT NULL
);
SELECT protect_by_site('sites');

CREATE TABLE daily_tickets (
    daily_ticket_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    date date NOT NULL,
    status text NOT NULL,
    workers integer NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX daily_tickets_day ON daily_tickets (site_id, date);
SELECT protect_by_site('daily_tickets');

-- One worker's training of one day.
CREATE TABLE trainings (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    -- IN_LEARNING, FAILED or COMPLETED; a completed one stays so.
    status text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (daily_ticket_id, worker_id)
);
SELECT protect_by_site('trainings');

CREATE TABLE notices (
    notification_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX notices_time ON notices (site_id, created_at);
SELECT protect_by_site('notices');

CREATE TABLE grants (
    grant_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    daily_ticket_id uuid NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    proved_at timestamptz,
    version bigint NOT NULL
);
CREATE INDEX grants_day ON grants (daily_ticket_id);
SELECT protect_by_site('grants');

-- A passage and its explanation, which may come first.
CREATE TABLE passages (
    passage_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    -- Empty until the passage itself came.
    at timestamptz,
    direction text,
    result text,
    reason_code text
);
CREATE INDEX passages_time ON passages (site_id, at);
SELECT protect_by_site('passages');
