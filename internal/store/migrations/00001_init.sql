-- One text for SQLite and PostgreSQL. The words in braces are replaced by
-- migrate.go: {pk} is an automatic integer primary key, {key} a given one (the
-- rowid on SQLite), {clustered} stores a table in the order of its primary key
-- (WITHOUT ROWID on SQLite).
-- Times are integer microseconds since 1970 UTC, 0 or NULL when unset; credits
-- are integer micro-credits; ids are 32 hexadecimal characters.

-- +goose Up

CREATE TABLE workspaces (
    pk                  {pk},
    id                  TEXT NOT NULL UNIQUE,
    name                TEXT NOT NULL,
    created_at          BIGINT NOT NULL,
    plan_name           TEXT NOT NULL,
    credits_available   BIGINT NOT NULL, -- negative: unlimited
    credits_consumed    BIGINT NOT NULL DEFAULT 0, -- always the sum of the ledger's present period
    credits_bonus       BIGINT NOT NULL DEFAULT 0,
    credits_rollover    BIGINT NOT NULL DEFAULT 0,
    rollover_expires_at BIGINT NOT NULL DEFAULT 0,
    credit_interval     TEXT NOT NULL DEFAULT 'monthly',
    period              BIGINT NOT NULL DEFAULT 0, -- start of the present period
    reset_at            BIGINT NOT NULL DEFAULT 0,
    total_slots         BIGINT NOT NULL DEFAULT 0, -- 0: unlimited
    has_unpaid_bill     BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE users (
    pk             {pk},
    id             TEXT NOT NULL UNIQUE,
    workspace_pk   BIGINT NOT NULL REFERENCES workspaces (pk),
    email          TEXT NOT NULL UNIQUE,
    first_name     TEXT NOT NULL DEFAULT '',
    last_name      TEXT NOT NULL DEFAULT '',
    is_active      BOOLEAN NOT NULL DEFAULT TRUE,
    is_staff       BOOLEAN NOT NULL DEFAULT FALSE,
    email_verified BOOLEAN NOT NULL DEFAULT FALSE,
    login_count    BIGINT NOT NULL DEFAULT 0,
    created_at     BIGINT NOT NULL
);

CREATE TABLE api_keys (
    pk           {pk},
    id           TEXT NOT NULL UNIQUE,
    workspace_pk BIGINT NOT NULL REFERENCES workspaces (pk),
    user_pk      BIGINT NOT NULL REFERENCES users (pk),
    name         TEXT NOT NULL,
    hash         BYTEA NOT NULL UNIQUE, -- SHA-256 of the key; the key itself is kept nowhere
    prefix       TEXT NOT NULL,
    scope        TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL DEFAULT 0,
    revoked_at   BIGINT NOT NULL DEFAULT 0,
    last_used_at BIGINT NOT NULL DEFAULT 0
);

-- Immutable: a change of a definition is a new row, and runs keep theirs.
CREATE TABLE crawler_versions (
    pk           {pk},
    crawler_id   TEXT NOT NULL,
    workspace_pk BIGINT, -- NULL: built in, visible to all
    slug         TEXT NOT NULL,
    version      BIGINT NOT NULL,
    digest       TEXT NOT NULL,
    definition   BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    UNIQUE (crawler_id, digest)
);

CREATE TABLE squids (
    pk                    {pk},
    id                    TEXT NOT NULL UNIQUE,
    workspace_pk          BIGINT NOT NULL REFERENCES workspaces (pk),
    crawler_id            TEXT NOT NULL,
    crawler_slug          TEXT NOT NULL,
    name                  TEXT NOT NULL,
    name_lower            TEXT NOT NULL, -- for searching; the databases' own LOWER differ
    is_active             BOOLEAN NOT NULL DEFAULT TRUE,
    concurrency           BIGINT NOT NULL DEFAULT 1,
    to_complete           BOOLEAN NOT NULL DEFAULT FALSE,
    export_unique_results BOOLEAN NOT NULL DEFAULT FALSE,
    no_line_breaks        BOOLEAN NOT NULL DEFAULT FALSE,
    run_notify            TEXT NOT NULL DEFAULT '',
    cron_expression       TEXT NOT NULL DEFAULT '',
    timezone              TEXT NOT NULL DEFAULT '',
    params                TEXT NOT NULL DEFAULT '{}', -- JSON, as set
    functions             TEXT NOT NULL DEFAULT '{}', -- JSON, as set
    message               TEXT NOT NULL DEFAULT '',
    delivery              BYTEA, -- sealed JSON of DeliveryConfig; NULL: none
    retention_days        BIGINT NOT NULL DEFAULT 0, -- 0: for ever
    next_seq              BIGINT NOT NULL DEFAULT 0, -- last result sequence given
    next_task_seq         BIGINT NOT NULL DEFAULT 0, -- last task sequence given
    task_count            BIGINT NOT NULL DEFAULT 0, -- living tasks
    url_task_count        BIGINT NOT NULL DEFAULT 0, -- of those, the ones with a url
    url_floor             BIGINT NOT NULL DEFAULT 0, -- tasks with a url are gone up to this sequence,
    params_floor          BIGINT NOT NULL DEFAULT 0, -- the others up to this one,
    result_floor          BIGINT NOT NULL DEFAULT 0, -- results up to this one
    total_runs            BIGINT NOT NULL DEFAULT 0,
    last_run_pk           BIGINT,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    deleted_at            BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX squids_name ON squids (workspace_pk, name) WHERE deleted_at = 0;
CREATE INDEX squids_list ON squids (workspace_pk, pk) WHERE deleted_at = 0;

-- key = squid pk << 40 | sequence, so that a squid's tasks are one dense range.
CREATE TABLE tasks (
    key        {key},
    id         TEXT NOT NULL UNIQUE,
    squid_pk   BIGINT NOT NULL,
    digest     BYTEA NOT NULL, -- 16 bytes over the canonical params
    params     TEXT NOT NULL,  -- canonical JSON
    has_url    BOOLEAN NOT NULL,
    is_active  BOOLEAN NOT NULL DEFAULT TRUE,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX tasks_digest ON tasks (squid_pk, digest);
CREATE INDEX tasks_type ON tasks (squid_pk, has_url, key);

CREATE TABLE task_uploads (
    pk           {pk},
    id           TEXT NOT NULL UNIQUE,
    workspace_pk BIGINT NOT NULL,
    squid_pk     BIGINT NOT NULL,
    state        TEXT NOT NULL,
    blob         TEXT NOT NULL,
    file_name    TEXT NOT NULL,
    line         BIGINT NOT NULL DEFAULT 0,
    valid        BIGINT NOT NULL DEFAULT 0,
    inserted     BIGINT NOT NULL DEFAULT 0,
    duplicates   BIGINT NOT NULL DEFAULT 0,
    invalid      BIGINT NOT NULL DEFAULT 0,
    errors       TEXT NOT NULL DEFAULT '[]',
    created_at   BIGINT NOT NULL
);
CREATE INDEX task_uploads_squid ON task_uploads (squid_pk);

-- How many sequence numbers of each block have no living row in a list, so
-- that a page deep in it is found without counting rows; see dense.go. Level 0
-- has blocks of 1,000 numbers, each level above 32 times larger ones.
CREATE TABLE gaps (
    list     TEXT NOT NULL, -- results, tasks, url_tasks or params_tasks
    squid_pk BIGINT NOT NULL,
    level    BIGINT NOT NULL,
    block    BIGINT NOT NULL, -- (sequence - 1) / size
    n        BIGINT NOT NULL,
    PRIMARY KEY (list, squid_pk, level, block)
) {clustered};

CREATE TABLE runs (
    pk               {pk},
    id               TEXT NOT NULL UNIQUE,
    workspace_pk     BIGINT NOT NULL,
    squid_pk         BIGINT NOT NULL,
    crawler_id       TEXT NOT NULL,
    version_pk       BIGINT NOT NULL,
    origin           TEXT NOT NULL,
    status           TEXT NOT NULL,
    done_reason      TEXT NOT NULL DEFAULT '',
    done_reason_desc TEXT NOT NULL DEFAULT '',
    outcome          TEXT NOT NULL DEFAULT '',
    outcome_reason   TEXT NOT NULL DEFAULT '',
    outcome_desc     TEXT NOT NULL DEFAULT '',
    created_at       BIGINT NOT NULL,
    started_at       BIGINT NOT NULL DEFAULT 0,
    ended_at         BIGINT NOT NULL DEFAULT 0,
    active           BIGINT NOT NULL DEFAULT 0, -- microseconds of finished stretches
    active_since     BIGINT NOT NULL DEFAULT 0,
    wake_at          BIGINT NOT NULL DEFAULT 0,
    paused_at        BIGINT NOT NULL DEFAULT 0,
    pause_count      BIGINT NOT NULL DEFAULT 0,
    force_launch     BOOLEAN NOT NULL DEFAULT FALSE,
    shared           BOOLEAN NOT NULL DEFAULT FALSE,
    settings         TEXT NOT NULL, -- JSON of RunSettings
    total_results    BIGINT NOT NULL DEFAULT 0,
    unique_results   BIGINT NOT NULL DEFAULT 0,
    total_requests   BIGINT NOT NULL DEFAULT 0,
    failed_requests  BIGINT NOT NULL DEFAULT 0,
    known_requests   BIGINT NOT NULL DEFAULT 0,
    bytes_fetched    BIGINT NOT NULL DEFAULT 0,
    tasks_total      BIGINT NOT NULL DEFAULT 0,
    tasks_done       BIGINT NOT NULL DEFAULT 0,
    tasks_failed     BIGINT NOT NULL DEFAULT 0,
    tasks_unreached  BIGINT NOT NULL DEFAULT 0,
    credits_used     BIGINT NOT NULL DEFAULT 0,
    first_seq        BIGINT NOT NULL DEFAULT 0,
    last_seq         BIGINT NOT NULL DEFAULT 0,
    last_progress_at BIGINT NOT NULL DEFAULT 0,
    current_task     TEXT NOT NULL DEFAULT '',
    export_done      BOOLEAN NOT NULL DEFAULT FALSE,
    export_time      BIGINT NOT NULL DEFAULT 0,
    export_count     BIGINT NOT NULL DEFAULT 0,
    email_done       BOOLEAN NOT NULL DEFAULT FALSE,
    email_time       BIGINT NOT NULL DEFAULT 0,
    event_seq        BIGINT NOT NULL DEFAULT 0,
    frontier_seq     BIGINT NOT NULL DEFAULT 0, -- last request sequence given
    deleted_at       BIGINT NOT NULL DEFAULT 0
);
-- One active run per squid, a paused one counting: a run's results are then
-- one contiguous range of the squid's sequence.
CREATE UNIQUE INDEX runs_active ON runs (squid_pk) WHERE status IN ('pending', 'running', 'paused', 'uploading');
CREATE INDEX runs_of_squid ON runs (squid_pk, pk) WHERE deleted_at = 0;
CREATE INDEX runs_of_workspace ON runs (workspace_pk, pk) WHERE deleted_at = 0;
CREATE INDEX runs_deleted ON runs (squid_pk, pk) WHERE deleted_at > 0;
CREATE INDEX runs_unfinished ON runs (status, pk) WHERE status IN ('pending', 'running', 'paused', 'uploading');

CREATE TABLE run_tasks (
    run_pk       BIGINT NOT NULL,
    seq          BIGINT NOT NULL, -- 1..n
    task_key     BIGINT NOT NULL,
    task_id      TEXT NOT NULL,
    params       TEXT NOT NULL,
    state        BIGINT NOT NULL DEFAULT 0, -- 0 pending, 1 running, 2 completed, 3 aborted, 4 error
    claimed_by   BIGINT, -- the slot that works on the task's own first request; NULL: nobody
    first_done   BOOLEAN NOT NULL DEFAULT FALSE, -- the task's own first request has ended
    known        BIGINT NOT NULL DEFAULT 1, -- requests known, its own included
    finished     BIGINT NOT NULL DEFAULT 0, -- requests ended
    failed       BIGINT NOT NULL DEFAULT 0, -- of those, given up
    unreached    BIGINT NOT NULL DEFAULT 0, -- of those, by DNS, TCP, TLS or 5xx
    attempts     BIGINT NOT NULL DEFAULT 0,
    results      BIGINT NOT NULL DEFAULT 0, -- extracted, duplicates included
    pages        BIGINT NOT NULL DEFAULT 0,
    first_key    BIGINT NOT NULL DEFAULT 0, -- its results lie within these keys
    last_key     BIGINT NOT NULL DEFAULT 0,
    started_at   BIGINT NOT NULL DEFAULT 0,
    ended_at     BIGINT NOT NULL DEFAULT 0,
    last_at      BIGINT NOT NULL DEFAULT 0,
    done_reason  TEXT NOT NULL DEFAULT '',
    done_desc    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_pk, seq)
) {clustered};
CREATE UNIQUE INDEX run_tasks_task ON run_tasks (run_pk, task_id);
CREATE INDEX run_tasks_pending ON run_tasks (run_pk, seq) WHERE state = 0;
CREATE INDEX run_tasks_claimed ON run_tasks (run_pk, claimed_by) WHERE claimed_by IS NOT NULL;

CREATE TABLE frontier (
    run_pk     BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    task_seq   BIGINT NOT NULL,
    digest     BYTEA NOT NULL,
    url        TEXT NOT NULL,
    page       TEXT NOT NULL,
    depth      BIGINT NOT NULL,
    state      BIGINT NOT NULL DEFAULT 0, -- 0 pending, 1 claimed, 2 done, 3 failed, 4 left
    slot       BIGINT, -- the claiming slot
    attempts   BIGINT NOT NULL DEFAULT 0,
    carry      BYTEA,
    extra      BYTEA,
    PRIMARY KEY (run_pk, seq)
) {clustered};
CREATE UNIQUE INDEX frontier_digest ON frontier (run_pk, task_seq, digest);
CREATE INDEX frontier_pending ON frontier (run_pk, seq) WHERE state = 0;
CREATE INDEX frontier_claimed ON frontier (run_pk, slot) WHERE state = 1;

-- The right to commit. A row stands for as long as the run wants the slot;
-- owner is NULL while nobody holds it.
CREATE TABLE leases (
    run_pk     BIGINT NOT NULL,
    slot       BIGINT NOT NULL,
    owner      TEXT,
    token      BIGINT NOT NULL DEFAULT 0, -- grows with each holder
    expires_at BIGINT NOT NULL DEFAULT 0,
    queued_at  BIGINT NOT NULL DEFAULT 0, -- when its job was last enqueued
    PRIMARY KEY (run_pk, slot)
) {clustered};
CREATE INDEX leases_owner ON leases (owner) WHERE owner IS NOT NULL;

-- key = squid pk << 40 | sequence: a run's results are a contiguous range.
CREATE TABLE results (
    key      {key},
    run_pk   BIGINT NOT NULL,
    task_seq BIGINT NOT NULL,
    digest   BYTEA NOT NULL,
    at       BIGINT NOT NULL,
    data     TEXT NOT NULL
);
CREATE UNIQUE INDEX results_digest ON results (run_pk, digest);

-- A row that another task of the run found too.
CREATE TABLE result_links (
    run_pk   BIGINT NOT NULL,
    task_seq BIGINT NOT NULL,
    key      BIGINT NOT NULL,
    PRIMARY KEY (run_pk, task_seq, key)
) {clustered};

CREATE TABLE run_events (
    run_pk  BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (run_pk, seq)
) {clustered};
CREATE INDEX run_events_notable ON run_events (run_pk, kind, seq) WHERE kind <> 'request';

-- Entries outlive their run and squid; run_id and squid_id are for people.
CREATE TABLE ledger (
    workspace_pk BIGINT NOT NULL,
    period       BIGINT NOT NULL,
    run_pk       BIGINT NOT NULL, -- 0: a grant or correction
    function     TEXT NOT NULL,
    run_id       TEXT NOT NULL,
    squid_id     TEXT NOT NULL,
    crawler_id   TEXT NOT NULL,
    credits      BIGINT NOT NULL, -- consumed
    attempts     BIGINT NOT NULL, -- rows charged
    at           BIGINT NOT NULL, -- last charge
    PRIMARY KEY (workspace_pk, period, run_pk, function)
) {clustered};
CREATE INDEX ledger_run ON ledger (run_pk);

CREATE TABLE exports (
    run_pk     BIGINT NOT NULL,
    format     TEXT NOT NULL,
    variant    TEXT NOT NULL,
    blob       TEXT NOT NULL,
    size       BIGINT NOT NULL,
    etag       TEXT NOT NULL,
    row_count  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (run_pk, format, variant)
) {clustered};

CREATE TABLE accounts (
    pk           {pk},
    id           TEXT NOT NULL UNIQUE,
    workspace_pk BIGINT NOT NULL,
    type_id      TEXT NOT NULL,
    username     TEXT NOT NULL,
    status_code  TEXT NOT NULL,
    status_info  TEXT NOT NULL,
    status_desc  TEXT NOT NULL DEFAULT '',
    params       TEXT NOT NULL DEFAULT '{}',
    jar          BYTEA, -- sealed cookies
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    synced_at    BIGINT NOT NULL DEFAULT 0,
    deleted_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX accounts_list ON accounts (workspace_pk, pk) WHERE deleted_at = 0;

CREATE TABLE account_syncs (
    pk           {pk},
    id           TEXT NOT NULL UNIQUE,
    workspace_pk BIGINT NOT NULL,
    account_id   TEXT NOT NULL,
    status_code  BIGINT NOT NULL,
    status_text  TEXT NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE TABLE squid_accounts (
    squid_pk   BIGINT NOT NULL,
    account_pk BIGINT NOT NULL,
    PRIMARY KEY (squid_pk, account_pk)
) {clustered};
CREATE INDEX squid_accounts_account ON squid_accounts (account_pk);

CREATE TABLE chains (
    squid_pk            BIGINT PRIMARY KEY,
    id                  TEXT NOT NULL UNIQUE,
    workspace_pk        BIGINT NOT NULL,
    target_crawler_id   TEXT NOT NULL,
    target_squid_id     TEXT NOT NULL DEFAULT '',
    field_map           TEXT NOT NULL,
    is_active           BOOLEAN NOT NULL DEFAULT TRUE,
    autostart           BOOLEAN NOT NULL,
    cluster_name        TEXT NOT NULL DEFAULT '',
    cluster_concurrency BIGINT NOT NULL DEFAULT 0,
    created_at          BIGINT NOT NULL
);

CREATE TABLE idempotency_keys (
    workspace_pk BIGINT NOT NULL,
    route        TEXT NOT NULL,
    key          TEXT NOT NULL,
    body_hash    BYTEA NOT NULL,
    status       BIGINT NOT NULL,
    body         BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_pk, route, key)
) {clustered};
CREATE INDEX idempotency_age ON idempotency_keys (created_at);
