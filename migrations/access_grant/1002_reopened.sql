-- A completed day is not complete any more once its ticket asks for more.
ALTER TABLE completions ADD COLUMN reopened_at timestamptz;
-- Completions that were reopened and after which the day was completed again: what was true before, for explanations of
-- the past.
CREATE TABLE past_completions (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    completed_at timestamptz NOT NULL,
    in_time boolean NOT NULL,
    reopened_at timestamptz NOT NULL,
    -- Of the fact that reopened it.
    version bigint NOT NULL,
    PRIMARY KEY (daily_ticket_id, worker_id, version)
);
SELECT protect_by_site('past_completions', 'SELECT, INSERT');

ALTER TABLE grants DROP CONSTRAINT grants_revoke_reason_check;
-- Rows that are there keep to the narrower rule; nothing is to be scanned under the lock.
ALTER TABLE grants ADD CONSTRAINT grants_revoke_reason_check
    CHECK (revoke_reason IN ('CANCELLED', 'REMOVED', 'AREA_CHANGED', 'EXPIRED', 'TRAINING_REOPENED')) NOT VALID;
