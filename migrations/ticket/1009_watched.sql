-- When each of completed_videos was watched to its end, at the same place; NULL, or no place, where that was not kept.
ALTER TABLE worker_days ADD COLUMN watched_at timestamptz[] NOT NULL DEFAULT '{}';
