-- +goose Up

-- What workspaces may use. A workspace copies its plan's terms when the plan is
-- assigned and when a period begins.
CREATE TABLE plans (
    pk            {pk},
    id            TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL UNIQUE,
    credits       BIGINT NOT NULL, -- of a period; negative: unlimited
    credit_interval TEXT NOT NULL,
    rollover_max  BIGINT NOT NULL DEFAULT 0, -- 0: none, negative: all
    rollover_days BIGINT NOT NULL DEFAULT 0, -- 0: until the next period ends
    slots         BIGINT NOT NULL DEFAULT 0, -- 0: unlimited
    force_launch  BOOLEAN NOT NULL DEFAULT FALSE,
    premium       BOOLEAN NOT NULL DEFAULT FALSE,
    created_at    BIGINT NOT NULL
);
INSERT INTO plans (id, name, credits, credit_interval, force_launch, premium, created_at)
    VALUES ('00000000000000000000000000000001', 'unlimited', -1, 'monthly', TRUE, TRUE, 0);

ALTER TABLE workspaces ADD COLUMN force_launch BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE workspaces ADD COLUMN premium BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE workspaces ADD COLUMN billing_zone TEXT NOT NULL DEFAULT ''; -- IANA name; empty: UTC
ALTER TABLE workspaces ADD COLUMN billing_anchor BIGINT NOT NULL DEFAULT 0; -- periods are counted from here
ALTER TABLE workspaces ADD COLUMN credited_at BIGINT NOT NULL DEFAULT 0; -- when the credits last changed but by spending
ALTER TABLE workspaces DROP COLUMN has_unpaid_bill; -- the invoices say it
CREATE INDEX workspaces_reset ON workspaces (reset_at) WHERE reset_at > 0;
CREATE INDEX workspaces_rollover ON workspaces (rollover_expires_at) WHERE rollover_expires_at > 0;

-- Append-only: every movement of credits that is not their consumption, which
-- the ledger has. Of each workspace, the sum of its entries less the sum of its
-- ledger is allowance (0 when unlimited) + rollover + bonus - consumed.
CREATE TABLE credit_entries (
    pk           {pk},
    workspace_pk BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    pool         TEXT NOT NULL,
    credits      BIGINT NOT NULL, -- what the balance gained
    at           BIGINT NOT NULL,
    actor        TEXT NOT NULL,
    note         TEXT NOT NULL
);
CREATE INDEX credit_entries_list ON credit_entries (workspace_pk, pk);
INSERT INTO credit_entries (workspace_pk, kind, pool, credits, at, actor, note)
    SELECT pk, 'allowance', 'allowance', credits_available, created_at, 'engine', 'opening' FROM workspaces WHERE credits_available > 0;
INSERT INTO credit_entries (workspace_pk, kind, pool, credits, at, actor, note)
    SELECT pk, 'grant', 'bonus', credits_bonus, created_at, 'engine', 'opening' FROM workspaces WHERE credits_bonus <> 0;
INSERT INTO credit_entries (workspace_pk, kind, pool, credits, at, actor, note)
    SELECT pk, 'rollover', 'rollover', credits_rollover, created_at, 'engine', 'opening' FROM workspaces WHERE credits_rollover <> 0;

-- The ledger, by day: what was spent within some days is a range of it.
CREATE TABLE ledger_days (
    workspace_pk BIGINT NOT NULL,
    day          BIGINT NOT NULL, -- days since 1970, UTC
    period       BIGINT NOT NULL,
    run_pk       BIGINT NOT NULL,
    function     TEXT NOT NULL,
    run_id       TEXT NOT NULL,
    squid_id     TEXT NOT NULL,
    crawler_id   TEXT NOT NULL,
    credits      BIGINT NOT NULL, -- consumed
    attempts     BIGINT NOT NULL, -- rows charged
    at           BIGINT NOT NULL, -- last charge
    PRIMARY KEY (workspace_pk, day, period, run_pk, function)
) {clustered};
INSERT INTO ledger_days (workspace_pk, day, period, run_pk, function, run_id, squid_id, crawler_id, credits, attempts, at)
    SELECT workspace_pk, at / 86400000000, period, run_pk, function, run_id, squid_id, crawler_id, credits, attempts, at FROM ledger;
DROP TABLE ledger;
ALTER TABLE ledger_days RENAME TO ledger;
CREATE INDEX ledger_run ON ledger (run_pk);
CREATE INDEX ledger_squid ON ledger (squid_id, run_pk);

CREATE TABLE invoices (
    pk           {pk},
    id           TEXT NOT NULL UNIQUE,
    workspace_pk BIGINT NOT NULL,
    crawler_id   TEXT NOT NULL DEFAULT '', -- whose maintenance it is for; empty: for the plan
    cents        BIGINT NOT NULL,
    currency     TEXT NOT NULL,
    note         TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    paid_at      BIGINT NOT NULL DEFAULT 0,
    cancelled_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX invoices_open ON invoices (workspace_pk, due_at) WHERE paid_at = 0 AND cancelled_at = 0;
CREATE INDEX invoices_of_workspace ON invoices (workspace_pk, pk);

-- The slots that a run holds while it is running: its concurrency, or the
-- plan's total if that is less. Runs from before hold one.
ALTER TABLE runs ADD COLUMN slots BIGINT NOT NULL DEFAULT 1;
CREATE INDEX runs_slots ON runs (workspace_pk, slots) WHERE status = 'running';
CREATE INDEX runs_waiting ON runs (workspace_pk, pk) WHERE status = 'paused' AND done_reason = 'slots_limit_exceeded';
