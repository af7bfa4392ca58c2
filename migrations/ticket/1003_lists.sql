-- Videos of the day that were watched to their end; training's facts, each told once or more.
ALTER TABLE worker_days ADD COLUMN completed_videos uuid[] NOT NULL DEFAULT '{}';

-- A contractor's administrator lists their own.
CREATE INDEX work_tickets_by_contractor ON work_tickets (contractor_id, start_date DESC, ticket_id DESC);
