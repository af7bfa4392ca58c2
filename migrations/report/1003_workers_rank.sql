-- How well the fact that told `workers` knew them: its version while the day was open, minus its version once it was over.
-- What is known from before counts as told of an open day: nothing older replaces it.
ALTER TABLE daily_tickets ADD COLUMN workers_rank bigint NOT NULL DEFAULT 0;

-- The owner is shown no rows while policies are forced on it too.
ALTER TABLE daily_tickets NO FORCE ROW LEVEL SECURITY;
UPDATE daily_tickets SET workers_rank = version;
ALTER TABLE daily_tickets FORCE ROW LEVEL SECURITY;
