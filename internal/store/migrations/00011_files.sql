-- +goose Up

-- Files of results are also made in the background, in any form: how far each
-- is. A file is thrown away when nobody has used it for long.
ALTER TABLE exports ADD COLUMN form TEXT NOT NULL DEFAULT ''; -- JSON of ExportForm; empty: nothing but the format
ALTER TABLE exports ADD COLUMN state TEXT NOT NULL DEFAULT 'done';
ALTER TABLE exports ADD COLUMN total BIGINT NOT NULL DEFAULT 0; -- rows to write; row_count are those written
ALTER TABLE exports ADD COLUMN error TEXT NOT NULL DEFAULT '';
ALTER TABLE exports ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exports ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
UPDATE exports SET total = row_count, updated_at = created_at, used_at = created_at;
CREATE INDEX exports_used ON exports (used_at) WHERE state = 'done';

-- For how many days files of results are kept after their last use, and results
-- after their run has ended: names files and results; no row: for ever.
-- Workspaces and squids may have a shorter rule for their results.
CREATE TABLE retention (
    name TEXT PRIMARY KEY,
    days BIGINT NOT NULL
) {clustered};
ALTER TABLE workspaces ADD COLUMN retention_days BIGINT NOT NULL DEFAULT 0; -- 0: no rule of its own
-- When the run's results were removed by such a rule; its counters stay.
ALTER TABLE runs ADD COLUMN results_removed_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX runs_kept ON runs (squid_pk, pk)
    WHERE results_removed_at = 0 AND deleted_at = 0 AND ended_at > 0 AND last_seq > first_seq;
