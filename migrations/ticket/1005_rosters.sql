-- What a ticket said before an amendment changed whom it names or what it asks for; days that were over by then keep it.
CREATE TABLE rosters (
    ticket_id uuid NOT NULL,
    site_id uuid NOT NULL,
    -- The ticket's last revision that said so.
    revision bigint NOT NULL CHECK (revision > 0),
    -- In the ticket's order.
    worker_ids uuid[] NOT NULL,
    video_ids uuid[] NOT NULL,
    video_rule text NOT NULL CHECK (video_rule IN ('ALL', 'ANY')),
    PRIMARY KEY (ticket_id, revision),
    FOREIGN KEY (ticket_id, site_id) REFERENCES work_tickets (ticket_id, site_id)
);
SELECT protect_by_site('rosters', 'SELECT, INSERT');

-- NULL: what the ticket says now. No row that is there has one; nothing is to be scanned under the lock.
ALTER TABLE daily_tickets ADD COLUMN roster_revision bigint;
ALTER TABLE daily_tickets ADD FOREIGN KEY (ticket_id, roster_revision)
    REFERENCES rosters (ticket_id, revision) NOT VALID;
