-- About when a consumer last followed. One that was away for longer than facts are kept has missed some: it reads the
-- states again. And whether an alert that it is stuck stands.
ALTER TABLE consumers
    ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN stuck_told boolean NOT NULL DEFAULT false;
ALTER TABLE consumers ALTER COLUMN seen_at DROP DEFAULT;
