-- What a ticket says now, for its notices that still wait.
ALTER TABLE tickets
    ADD COLUMN title text NOT NULL DEFAULT '',
    ADD COLUMN area_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN video_count integer NOT NULL DEFAULT 0,
    -- Its first open day; none once all are over.
    ADD COLUMN open_day_id uuid,
    ADD COLUMN open_date date,
    ADD COLUMN open_deadline_at timestamptz,
    -- The version these are of. The release before keeps none of them, and may run for a while yet.
    ADD COLUMN terms_version bigint NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD CONSTRAINT tickets_open_day_check
    CHECK (num_nulls(open_day_id, open_date, open_deadline_at) IN (0, 3)) NOT VALID;

-- The ticket's version that queued it: an older one says nothing of it.
ALTER TABLE notices ADD COLUMN ticket_version bigint NOT NULL DEFAULT 0;
ALTER TABLE notices DROP CONSTRAINT notices_reason_check;
-- Rows that are there keep to the narrower rule; nothing is to be scanned under the lock.
ALTER TABLE notices ADD CONSTRAINT notices_reason_check
    CHECK (reason IN ('NOT_BOUND', 'NO_BALANCE', 'DAY_CLOSED', 'NOT_IN_TICKET', 'REFUSED', 'PROVIDER_ERROR')) NOT VALID;
