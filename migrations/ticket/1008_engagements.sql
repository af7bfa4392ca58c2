-- Ends are followed as directory tells them; who left the site's roster is not there, whatever the date.
ALTER TABLE engagement_ends ADD COLUMN gone boolean NOT NULL DEFAULT false;
