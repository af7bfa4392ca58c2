-- Under which code the real-name system knows the site; empty: none.
ALTER TABLE sites ADD COLUMN realname_project text NOT NULL DEFAULT '';
-- The people of one project are one site's.
CREATE UNIQUE INDEX sites_realname_project ON sites (realname_project) WHERE realname_project <> '';
