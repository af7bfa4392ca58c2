-- Where the site's deadline gives way and by how much, as the site said when the ticket was made. Those made before, or
-- by the release before this, have half an hour and an hour and a half.
ALTER TABLE work_tickets
    ADD COLUMN night_deadline_minutes integer NOT NULL DEFAULT 30,
    ADD COLUMN late_deadline_minutes integer NOT NULL DEFAULT 90;
