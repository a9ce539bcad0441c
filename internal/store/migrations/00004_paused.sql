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
