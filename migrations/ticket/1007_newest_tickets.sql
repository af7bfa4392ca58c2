-- A worker's tickets by age: ids grow with time.
CREATE INDEX ticket_workers_newest ON ticket_workers (worker_id, ticket_id);
DROP INDEX ticket_workers_by_worker;
