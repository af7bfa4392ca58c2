-- What else a site decides for itself, and how accounts change.
ALTER TABLE sites
    ADD COLUMN publish_now boolean NOT NULL DEFAULT true,
    ADD COLUMN daily_reminder boolean NOT NULL DEFAULT true,
    ADD COLUMN daily_reminder_time time NOT NULL DEFAULT '05:30',
    ADD COLUMN deadline_soon_minutes integer NOT NULL DEFAULT 120 CHECK (deadline_soon_minutes > 0),
    ADD COLUMN night_deadline_minutes integer NOT NULL DEFAULT 30 CHECK (night_deadline_minutes > 0),
    ADD COLUMN late_deadline_minutes integer NOT NULL DEFAULT 90 CHECK (late_deadline_minutes > 0),
    ADD COLUMN check_at_least_once boolean NOT NULL DEFAULT true,
    ADD COLUMN check_mode text NOT NULL DEFAULT 'PHOTO' CHECK (check_mode IN ('PHOTO', 'LIVENESS')),
    -- Two years, one of them a leap year.
    ADD COLUMN retention_days integer NOT NULL DEFAULT 731 CHECK (retention_days >= 731),
    ADD COLUMN fallback_ladder text[] NOT NULL DEFAULT '{WECHAT,SMS,FOREMAN}'
        CHECK (cardinality(fallback_ladder) > 0 AND fallback_ladder <@ '{WECHAT,SMS,FOREMAN}'),
    ADD COLUMN IF NOT EXISTS bind_id_last_six boolean NOT NULL DEFAULT false,
    -- Of the site's own mini-program; empty: the installation's.
    ADD COLUMN wechat_appid text NOT NULL DEFAULT '',
    ADD COLUMN wechat_template_ticket_published text NOT NULL DEFAULT '',
    ADD COLUMN wechat_template_daily_reminder text NOT NULL DEFAULT '',
    ADD COLUMN wechat_template_deadline_soon text NOT NULL DEFAULT '';

ALTER TABLE areas
    ADD COLUMN access_group_name text NOT NULL DEFAULT '',
    ADD COLUMN description text NOT NULL DEFAULT '';

-- Set while the password is a one-time one: until when it signs in. System time.
ALTER TABLE accounts ADD COLUMN one_time_until timestamptz;
CREATE INDEX account_sites_site ON account_sites (site_id);
CREATE INDEX refresh_families_account ON refresh_families (account_id) WHERE ended_at IS NULL;
