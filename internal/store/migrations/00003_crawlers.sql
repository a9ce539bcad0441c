-- +goose Up

-- The crawlers that workspaces made over the API; their definitions are rows of
-- crawler_versions, the newest of which counts.
CREATE TABLE crawlers (
    pk           {pk},
    id           TEXT NOT NULL UNIQUE,
    workspace_pk BIGINT NOT NULL REFERENCES workspaces (pk),
    slug         TEXT NOT NULL,
    version_pk   BIGINT NOT NULL REFERENCES crawler_versions (pk),
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    UNIQUE (workspace_pk, slug)
);
CREATE INDEX squids_of_crawler ON squids (crawler_id) WHERE deleted_at = 0;
