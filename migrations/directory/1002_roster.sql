-- The roster's readings, who people were engaged by before, and what binding asks for.

-- Whether the last six characters of the identity number are enough to bind.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS bind_id_last_six boolean NOT NULL DEFAULT false;
-- What a site's registration link and picture say. No secret: it names the site, and nothing opens by it.
ALTER TABLE sites ADD COLUMN registration_code text NOT NULL
    DEFAULT upper(left(replace(gen_random_uuid()::text, '-', ''), 10));
CREATE UNIQUE INDEX sites_registration_code ON sites (registration_code);

-- The address of a person's picture in the real-name system; it leads to their face.
ALTER TABLE workers ADD COLUMN photo_url_sealed bytea;
ALTER TABLE workers ADD COLUMN photo_url_index bytea;
ALTER TABLE workers ADD CONSTRAINT workers_photo_url
    CHECK ((photo_url_sealed IS NULL) = (photo_url_index IS NULL));

-- Since when; before this release nobody wrote it down.
ALTER TABLE engagements ADD COLUMN engaged_at timestamptz;

-- Engagements that were followed by another on the same site: another contractor, trade or team, or a return.
CREATE TABLE past_engagements (
    engagement_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    worker_id uuid NOT NULL REFERENCES workers,
    site_id uuid NOT NULL REFERENCES sites,
    contractor_id uuid REFERENCES contractors,
    trade text NOT NULL,
    team text NOT NULL,
    engaged_at timestamptz,
    left_at timestamptz NOT NULL
);
CREATE INDEX past_engagements_worker ON past_engagements (worker_id);
SELECT protect_by_site('past_engagements', 'SELECT, INSERT');

-- When a whole roster was last read (site time): only that can say who is gone.
ALTER TABLE roster_syncs ADD COLUMN whole_at timestamptz;
-- When a reading was last begun, site time.
ALTER TABLE roster_syncs ADD COLUMN tried_at timestamptz;
-- Until when a reading that has begun is taken to be under way, system time.
ALTER TABLE roster_syncs ADD COLUMN busy_until timestamptz;
-- Up to where the real-name system's changes are known, on its own clock.
ALTER TABLE roster_syncs ADD COLUMN read_up_to timestamptz;

-- Each reading of a site's roster and what came of it. Site time.
CREATE TABLE roster_readings (
    reading_id uuid PRIMARY KEY,
    site_id uuid NOT NULL REFERENCES sites,
    kind text NOT NULL CHECK (kind IN ('WHOLE', 'CHANGES')),
    -- The account that asked for it; empty where time did.
    asked_by uuid,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- DONE, AWAY, OVERTAKEN or FAILED.
    outcome text,
    added integer NOT NULL DEFAULT 0,
    changed integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    gone integer NOT NULL DEFAULT 0,
    -- Rows of the real-name system that tell nobody apart.
    left_out integer NOT NULL DEFAULT 0,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX roster_readings_site ON roster_readings (site_id, started_at DESC);
SELECT protect_by_site('roster_readings');

-- Who a reading found new, otherwise or gone.
CREATE TABLE roster_changes (
    reading_id uuid NOT NULL REFERENCES roster_readings ON DELETE CASCADE,
    site_id uuid NOT NULL REFERENCES sites,
    worker_id uuid NOT NULL REFERENCES workers,
    -- ADDED, CHANGED or GONE.
    change text NOT NULL CHECK (change IN ('ADDED', 'CHANGED', 'GONE')),
    PRIMARY KEY (reading_id, worker_id)
);
SELECT protect_by_site('roster_changes');
