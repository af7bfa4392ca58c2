-- The last day of an engagement as the real-name system has it; empty where it has none.
ALTER TABLE engagements ADD COLUMN until date;
ALTER TABLE past_engagements ADD COLUMN until date;
