-- +goose Up

-- What is planned for the squids that have a schedule. The expression itself
-- and its zone stay with the squid; plan is what this row was planned by, empty
-- while nothing is planned (no expression, or the squid is switched off).
CREATE TABLE schedules (
    squid_pk     {key},
    missed       TEXT NOT NULL DEFAULT 'once', -- once, skip or all
    jitter       BIGINT NOT NULL DEFAULT 0, -- seconds
    plan         TEXT NOT NULL DEFAULT '',
    slot         BIGINT NOT NULL DEFAULT 0, -- the next time by the expression; 0: not found out yet
    due_at       BIGINT NOT NULL DEFAULT 0, -- when it is launched; 0: no time is set
    behind_until BIGINT NOT NULL DEFAULT 0, -- slots up to here were missed and are made up for
    waits        BOOLEAN NOT NULL DEFAULT FALSE -- for the squid's run to end
);
CREATE INDEX schedules_due ON schedules (due_at) WHERE due_at > 0;

-- Squids that were scheduled before are planned by the first server that starts.
INSERT INTO schedules (squid_pk, plan, due_at)
    SELECT pk, cron_expression || '|' || timezone, 1 FROM squids
    WHERE cron_expression <> '' AND is_active AND deleted_at = 0;

-- What became of each slot: one row, whoever launches.
CREATE TABLE launches (
    squid_pk BIGINT NOT NULL,
    slot     BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    outcome  TEXT NOT NULL, -- launched, skipped, missed or failed
    run_id   TEXT NOT NULL DEFAULT '',
    reason   TEXT NOT NULL DEFAULT '', -- code of an error
    message  TEXT NOT NULL DEFAULT '',
    missed   BIGINT NOT NULL DEFAULT 0, -- earlier slots that this row stands for too
    PRIMARY KEY (squid_pk, slot)
) {clustered};

-- A finished run's results on their way to another squid's tasks.
CREATE TABLE handovers (
    run_pk              {key}, -- the finished run: it hands over once
    workspace_pk        BIGINT NOT NULL,
    squid_pk            BIGINT NOT NULL, -- the run's
    target_pk           BIGINT NOT NULL DEFAULT 0, -- squid; 0: not known yet
    target_crawler_id   TEXT NOT NULL,
    field_map           TEXT NOT NULL,
    autostart           BOOLEAN NOT NULL,
    cluster_name        TEXT NOT NULL,
    cluster_concurrency BIGINT NOT NULL,
    state               TEXT NOT NULL, -- moving, starting, waiting or ended
    cursor              BIGINT NOT NULL DEFAULT 0, -- key of the last result looked at
    looked_at           BIGINT NOT NULL DEFAULT 0, -- results
    added               BIGINT NOT NULL DEFAULT 0, -- tasks that the target lacked
    duplicates          BIGINT NOT NULL DEFAULT 0,
    lacking             BIGINT NOT NULL DEFAULT 0, -- results without a value of a mapped field
    invalid             BIGINT NOT NULL DEFAULT 0,
    first_invalid       TEXT NOT NULL DEFAULT '', -- why the first of those was refused
    started_run         TEXT NOT NULL DEFAULT '', -- id
    message             TEXT NOT NULL DEFAULT '',
    created_at          BIGINT NOT NULL,
    ended_at            BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX handovers_waiting ON handovers (target_pk) WHERE state = 'waiting';
CREATE INDEX handovers_squid ON handovers (squid_pk);
CREATE INDEX chains_target ON chains (target_squid_id) WHERE target_squid_id <> '';
