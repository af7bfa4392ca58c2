-- Whether the roster names a contractor that is none of the site's; without meaning where `contractor_id` is set. Of the
-- engagements there are, nobody wrote it down: they count as an unknown one's until the roster is read.
ALTER TABLE engagements ADD COLUMN contractor_unknown boolean NOT NULL DEFAULT true;
ALTER TABLE past_engagements ADD COLUMN contractor_unknown boolean NOT NULL DEFAULT true;

-- So each roster's next reading is a whole one. Its owner is shown no rows while policies are forced on it too.
ALTER TABLE roster_syncs NO FORCE ROW LEVEL SECURITY;
UPDATE roster_syncs SET whole_at = NULL;
ALTER TABLE roster_syncs FORCE ROW LEVEL SECURITY;
