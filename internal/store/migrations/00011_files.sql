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
