-- Who finishes late again after a reopening may be released again; every release stays.
ALTER TABLE releases DROP CONSTRAINT releases_pkey, ADD PRIMARY KEY (daily_ticket_id, worker_id, released_at);
