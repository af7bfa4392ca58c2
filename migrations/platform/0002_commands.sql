-- Answers to creating calls, kept so that a repeated call gets the same one.
CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    call text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    -- Empty only while the command's own transaction is open.
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (caller, call, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
SELECT protect_global('idempotency_keys');
