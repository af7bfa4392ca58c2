-- What limits count: sign-ins by user name and by where they come from, texts by phone, by who asks and from where. A row
-- a limit, under a blind index of its subject: people type passwords where the user name belongs. System time.
CREATE TABLE attempts (
    attempt_id uuid NOT NULL,
    about_index bytea NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (attempt_id, about_index)
);
CREATE INDEX attempts_about ON attempts (about_index, at);
CREATE INDEX attempts_age ON attempts (at);
SELECT protect_global('attempts', 'SELECT, INSERT, DELETE');

-- The release before counts in sign_in_attempts as long as it runs; the table goes with the next one.

-- Sign-ins that are over and codes that no longer work are forgotten.
GRANT DELETE ON refresh_families, refresh_tokens TO sitepass_directory_system;
CREATE INDEX refresh_tokens_age ON refresh_tokens (expires_at);
CREATE INDEX sms_codes_age ON sms_codes (expires_at);
