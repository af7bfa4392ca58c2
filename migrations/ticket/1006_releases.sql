-- access-grant's facts: who finished a day late and was let in by hand, and when last.
CREATE TABLE releases (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    released_at timestamptz NOT NULL,
    PRIMARY KEY (daily_ticket_id, worker_id)
);
SELECT protect_by_site('releases');

-- A release that is not later counts no more.
ALTER TABLE worker_days ADD COLUMN reopened_at timestamptz;
