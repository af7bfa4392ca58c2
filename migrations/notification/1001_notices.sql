-- Notices to workers: one row each, from the queue to what became of it.
CREATE TABLE notices (
    notification_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    contractor_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    daily_ticket_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('TICKET_PUBLISHED')),
    -- What the message says; areas are named when it is sent.
    title text NOT NULL,
    date date NOT NULL,
    deadline_at timestamptz NOT NULL,
    time_zone text NOT NULL,
    area_ids uuid[] NOT NULL,
    video_count integer NOT NULL CHECK (video_count >= 0),
    status text NOT NULL CHECK (status IN ('QUEUED', 'SENDING', 'SENT', 'FAILED', 'SKIPPED', 'UNKNOWN')),
    reason text CHECK (reason IN ('NOT_BOUND', 'NO_BALANCE', 'REFUSED', 'PROVIDER_ERROR')),
    -- Calls of the provider since it was queued, or queued again by hand.
    attempts integer NOT NULL CHECK (attempts BETWEEN 0 AND 5),
    -- Site time.
    due_at timestamptz,
    -- System time; who finds it over knows that nobody will tell what became of the call.
    lease_until timestamptz,
    settled_at timestamptz,
    msgid text,
    errcode bigint,
    -- The site's day of the last retries by hand, and how many they were.
    retried_on date,
    retries integer NOT NULL CHECK (retries BETWEEN 0 AND 3),
    traceparent text,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    -- However often the ticket's publication is told.
    CONSTRAINT notices_once UNIQUE (worker_id, ticket_id, kind),
    CHECK ((status = 'QUEUED') = (due_at IS NOT NULL)),
    CHECK ((status = 'SENDING') = (lease_until IS NOT NULL)),
    CHECK ((status IN ('QUEUED', 'SENDING')) = (settled_at IS NULL)),
    CHECK ((status = 'SENT') = (msgid IS NOT NULL)),
    CHECK ((status IN ('FAILED', 'SKIPPED')) = (reason IS NOT NULL)),
    CHECK (coalesce(reason = 'REFUSED', false) = (errcode IS NOT NULL)),
    CHECK ((retries = 0) = (retried_on IS NULL))
);
CREATE INDEX notices_due ON notices (due_at) WHERE status = 'QUEUED';
CREATE INDEX notices_sending ON notices (lease_until) WHERE status = 'SENDING';
CREATE INDEX notices_by_site ON notices (site_id, created_at DESC, notification_id DESC);
CREATE INDEX notices_by_ticket ON notices (ticket_id);
SELECT protect_by_site('notices');

-- What workers agreed to receive: each is one message. Workers belong to no site.
CREATE TABLE consents (
    worker_id uuid NOT NULL,
    -- The provider's id of the message template.
    template text NOT NULL,
    balance integer NOT NULL CHECK (balance >= 0),
    PRIMARY KEY (worker_id, template)
);
SELECT protect_global('consents');

-- Who opened which day of a task, and when first.
CREATE TABLE task_reads (
    daily_ticket_id uuid NOT NULL,
    worker_id uuid NOT NULL,
    site_id uuid NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (daily_ticket_id, worker_id)
);
SELECT protect_by_site('task_reads', 'SELECT, INSERT');

-- Read copies of other services' facts; each keeps the newest version it was told.

-- ticket's: who is named on which days.
CREATE TABLE tickets (
    ticket_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    worker_ids uuid[] NOT NULL,
    day_ids uuid[] NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX tickets_by_day ON tickets USING gin (day_ids);
SELECT protect_by_site('tickets');

-- directory's: the areas' names.
CREATE TABLE areas (
    area_id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL
);
SELECT protect_by_site('areas');

-- directory's: whom a message can reach.
CREATE TABLE workers (
    worker_id uuid PRIMARY KEY,
    bound boolean NOT NULL,
    version bigint NOT NULL
);
SELECT protect_global('workers');
