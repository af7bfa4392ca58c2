-- Counts people's edits, not the clock's moves: what an amendment names.
ALTER TABLE work_tickets ADD COLUMN revision bigint NOT NULL DEFAULT 1 CHECK (revision > 0);

-- Every edit by a person since this table was made, with what it changed. Never changed itself.
CREATE TABLE ticket_edits (
    ticket_id uuid NOT NULL,
    site_id uuid NOT NULL,
    revision bigint NOT NULL CHECK (revision > 0),
    action text NOT NULL CHECK (action IN ('CREATED', 'PUBLISHED', 'AMENDED', 'CANCELLED', 'DAY_CANCELLED')),
    edited_by uuid NOT NULL,
    edited_at timestamptz NOT NULL,
    reason text,
    -- The fields that changed, JSON; text, so that it is shown as it was written.
    before text,
    after text NOT NULL,
    -- Two edits of one revision: the second was made from what it had not read.
    PRIMARY KEY (ticket_id, revision),
    FOREIGN KEY (ticket_id, site_id) REFERENCES work_tickets (ticket_id, site_id),
    CHECK ((action = 'CREATED') = (before IS NULL))
);
SELECT protect_by_site('ticket_edits', 'SELECT, INSERT');

-- Read copies of others' facts.

-- When a worker's training of a day was complete, as training judged it.
CREATE TABLE completions (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    completed_at timestamptz NOT NULL,
    in_time boolean NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (daily_ticket_id, worker_id)
);
SELECT protect_by_site('completions');
-- A completion that is older than this was reopened: the ticket came to ask for more.
ALTER TABLE worker_days ADD COLUMN reopened_version bigint NOT NULL DEFAULT 0;

-- How long videos take.
CREATE TABLE videos (
    video_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    duration_sec integer NOT NULL CHECK (duration_sec >= 0),
    version bigint NOT NULL
);
SELECT protect_by_site('videos');

-- Last dates of engagements that have one: what directory answered when a ticket was last made or amended.
CREATE TABLE engagement_ends (
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    until date NOT NULL,
    PRIMARY KEY (worker_id, site_id)
);
SELECT protect_by_site('engagement_ends');
