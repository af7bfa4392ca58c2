-- A completion that is older than this was reopened: the ticket came to ask for more.
ALTER TABLE trainings ADD COLUMN reopened_version bigint NOT NULL DEFAULT 0;
