-- Where the site's deadline gives way and by how much, as the site said when the ticket was made. Those made before had
-- half an hour and an hour and a half.
ALTER TABLE work_tickets
    ADD COLUMN night_deadline_minutes integer NOT NULL DEFAULT 30,
    ADD COLUMN late_deadline_minutes integer NOT NULL DEFAULT 90;
ALTER TABLE work_tickets
    ALTER COLUMN night_deadline_minutes DROP DEFAULT,
    ALTER COLUMN late_deadline_minutes DROP DEFAULT;
