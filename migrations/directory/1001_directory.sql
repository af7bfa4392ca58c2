-- Who and where. The only schema that holds personal data, and that sealed.
CREATE TABLE sites (
    site_id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT sites_name UNIQUE,
    -- IANA name.
    time_zone text NOT NULL,
    access_start_time time NOT NULL,
    access_end_time time NOT NULL,
    training_deadline_time time NOT NULL,
    max_span_days integer NOT NULL CHECK (max_span_days BETWEEN 1 AND 366),
    video_rule text NOT NULL CHECK (video_rule IN ('ALL', 'ANY')),
    check_min_seconds integer NOT NULL CHECK (check_min_seconds > 0),
    check_max_seconds integer NOT NULL CHECK (check_max_seconds >= check_min_seconds),
    check_answer_seconds integer NOT NULL CHECK (check_answer_seconds > 0),
    version bigint NOT NULL,
    created_at timestamptz NOT NULL
);
SELECT protect_by_site('sites', 'SELECT, INSERT, UPDATE');

CREATE TABLE contractors (
    contractor_id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT contractors_name UNIQUE,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL
);
SELECT protect_global('contractors', 'SELECT, INSERT, UPDATE');

CREATE TABLE contractor_sites (
    contractor_id uuid NOT NULL REFERENCES contractors,
    site_id uuid NOT NULL REFERENCES sites,
    PRIMARY KEY (site_id, contractor_id)
);
SELECT protect_by_site('contractor_sites');

CREATE TABLE areas (
    area_id uuid PRIMARY KEY,
    site_id uuid NOT NULL REFERENCES sites,
    name text NOT NULL,
    access_group_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('ACTIVE', 'INACTIVE')),
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT areas_name UNIQUE (site_id, name),
    -- One door group belongs to one area: otherwise an event could not be told apart.
    CONSTRAINT areas_access_group UNIQUE (access_group_id)
);
SELECT protect_by_site('areas', 'SELECT, INSERT, UPDATE');

-- People of the roster. A person belongs to sites through engagements.
CREATE TABLE workers (
    worker_id uuid PRIMARY KEY,
    name_sealed bytea NOT NULL,
    name_index bytea NOT NULL,
    -- Empty where the roster has no identity number for the person.
    id_no_sealed bytea,
    id_no_index bytea CONSTRAINT workers_id_no UNIQUE,
    phone_sealed bytea,
    phone_index bytea,
    face_id text,
    status text NOT NULL CHECK (status IN ('ACTIVE', 'INACTIVE')),
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK ((id_no_sealed IS NULL) = (id_no_index IS NULL)),
    CHECK ((phone_sealed IS NULL) = (phone_index IS NULL))
);
CREATE INDEX workers_name ON workers (name_index);
-- Without an identity number, name and phone are what tells people apart.
CREATE UNIQUE INDEX workers_name_and_phone ON workers (name_index, phone_index) WHERE id_no_index IS NULL;
CREATE INDEX workers_phone ON workers (phone_index);
SELECT protect_global('workers', 'SELECT, INSERT, UPDATE');

CREATE TABLE engagements (
    worker_id uuid NOT NULL REFERENCES workers,
    site_id uuid NOT NULL REFERENCES sites,
    contractor_id uuid REFERENCES contractors,
    trade text NOT NULL,
    team text NOT NULL,
    -- When the roster no longer held them. The row stays: who was here keeps their name in old tickets.
    left_at timestamptz,
    PRIMARY KEY (site_id, worker_id)
);
CREATE INDEX engagements_worker ON engagements (worker_id);
SELECT protect_by_site('engagements', 'SELECT, INSERT, UPDATE');

-- When a site's roster was last read from the real-name system, and what that brought.
CREATE TABLE roster_syncs (
    site_id uuid PRIMARY KEY REFERENCES sites,
    -- Counts readings: one that was overtaken by a newer writes nothing more.
    epoch bigint NOT NULL,
    -- Empty until the first reading was written whole.
    synced_at timestamptz,
    added integer NOT NULL,
    changed integer NOT NULL,
    gone integer NOT NULL
);
SELECT protect_by_site('roster_syncs', 'SELECT, INSERT, UPDATE');

CREATE TABLE accounts (
    account_id uuid PRIMARY KEY,
    username text NOT NULL CONSTRAINT accounts_username UNIQUE,
    password_hash text NOT NULL,
    role text NOT NULL,
    contractor_id uuid REFERENCES contractors,
    disabled_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL
);
SELECT protect_global('accounts', 'SELECT, INSERT, UPDATE');

-- The sites of an account; a SysAdmin has them all without rows.
CREATE TABLE account_sites (
    account_id uuid NOT NULL REFERENCES accounts,
    site_id uuid NOT NULL REFERENCES sites,
    PRIMARY KEY (account_id, site_id)
);
SELECT protect_by_site('account_sites', 'SELECT, INSERT, DELETE');

-- Sign-ins that have not succeeded, by a blind index of the user name, known or not: people type passwords there.
-- Written before the password is looked at, so that many at once are counted too. System time.
CREATE TABLE sign_in_attempts (
    username_index bytea NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX sign_in_attempts_username ON sign_in_attempts (username_index, at);
SELECT protect_global('sign_in_attempts', 'SELECT, INSERT, DELETE');

-- One sign-in and its chain of refresh tokens. System time.
CREATE TABLE refresh_families (
    family_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- SIGNED_OUT or REUSED.
    ended_because text,
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);
SELECT protect_global('refresh_families', 'SELECT, INSERT, UPDATE');

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    family_id uuid NOT NULL REFERENCES refresh_families,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
SELECT protect_global('refresh_tokens', 'SELECT, INSERT, UPDATE');

-- Somebody who came through WeChat; bound to a worker or not.
CREATE TABLE wechat_users (
    wechat_user_id uuid PRIMARY KEY,
    openid_sealed bytea NOT NULL,
    openid_index bytea NOT NULL CONSTRAINT wechat_users_openid UNIQUE,
    unionid_sealed bytea,
    created_at timestamptz NOT NULL
);
SELECT protect_global('wechat_users', 'SELECT, INSERT, UPDATE');

CREATE TABLE bindings (
    binding_id uuid PRIMARY KEY,
    worker_id uuid NOT NULL REFERENCES workers,
    wechat_user_id uuid NOT NULL REFERENCES wechat_users,
    bound_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- REPLACED or BY_ADMIN.
    ended_because text,
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);
CREATE UNIQUE INDEX bindings_one_active_a_worker ON bindings (worker_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX bindings_one_active_a_user ON bindings (wechat_user_id) WHERE ended_at IS NULL;
SELECT protect_global('bindings', 'SELECT, INSERT, UPDATE');

-- The one code in force for a phone. System time.
CREATE TABLE sms_codes (
    phone_index bytea PRIMARY KEY,
    -- Keyed: six digits would be found by trying.
    code_index bytea NOT NULL,
    sent_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    tries integer NOT NULL,
    used_at timestamptz
);
SELECT protect_global('sms_codes');
