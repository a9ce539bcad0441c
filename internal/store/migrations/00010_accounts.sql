-- +goose Up

-- A remembered password, sealed, and when it last was used without being asked.
ALTER TABLE accounts ADD COLUMN credentials BYTEA;
ALTER TABLE accounts ADD COLUMN relogin_at BIGINT NOT NULL DEFAULT 0;

-- What a synchronization is to make (sealed; null once it is over), and what
-- came of it. Those of the first version made their accounts at once.
ALTER TABLE account_syncs ADD COLUMN kind TEXT NOT NULL DEFAULT 'cookies';
ALTER TABLE account_syncs ADD COLUMN type_id TEXT NOT NULL DEFAULT '';
ALTER TABLE account_syncs ADD COLUMN username TEXT NOT NULL DEFAULT '';
ALTER TABLE account_syncs ADD COLUMN remember BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE account_syncs ADD COLUMN unasked BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE account_syncs ADD COLUMN made BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE account_syncs ADD COLUMN status TEXT NOT NULL DEFAULT '';
ALTER TABLE account_syncs ADD COLUMN sealed BYTEA;
-- Where a log-in stands that waits for a one-time code, sealed.
ALTER TABLE account_syncs ADD COLUMN state BYTEA;
ALTER TABLE account_syncs ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX account_syncs_waiting ON account_syncs (workspace_pk, type_id, username) WHERE state IS NOT NULL;
CREATE INDEX accounts_named ON accounts (workspace_pk, type_id, username) WHERE deleted_at = 0;
