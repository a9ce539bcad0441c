-- +goose Up

-- Paused runs by what they wait for, by when they look again by themselves, and
-- by how long they have waited: however many there are, a look costs what it finds.
CREATE INDEX runs_paused ON runs (done_reason, pk) WHERE status = 'paused';
CREATE INDEX runs_wake ON runs (wake_at) WHERE status = 'paused' AND wake_at > 0;
CREATE INDEX runs_paused_at ON runs (paused_at) WHERE status = 'paused';

-- What the operator says of a crawler, whichever way it was defined.
CREATE TABLE crawler_flags (
    crawler_id TEXT PRIMARY KEY,
    state      TEXT NOT NULL, -- maintenance or off
    message    TEXT NOT NULL,
    set_at     BIGINT NOT NULL
) {clustered};

-- How complete the results of each run were, for the next ones to be held against.
CREATE TABLE run_health (
    run_pk    BIGINT PRIMARY KEY,
    squid_pk  BIGINT NOT NULL,
    tasks     BIGINT NOT NULL,
    results   BIGINT NOT NULL,
    row_count BIGINT NOT NULL, -- of the export, in which the fields were counted
    fields    TEXT NOT NULL,   -- JSON: field to rows that have a value
    settings  TEXT NOT NULL,   -- digest of the settings that decide how much a run collects
    warning   TEXT NOT NULL DEFAULT ''
);
CREATE INDEX run_health_squid ON run_health (squid_pk, run_pk);
