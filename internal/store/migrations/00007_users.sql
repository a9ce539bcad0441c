-- +goose Up

ALTER TABLE users ADD COLUMN profile_image TEXT NOT NULL DEFAULT '';
CREATE INDEX users_of_workspace ON users (workspace_pk, pk);
CREATE INDEX keys_of_user ON api_keys (user_pk, pk);
CREATE INDEX keys_of_workspace ON api_keys (workspace_pk, pk);
