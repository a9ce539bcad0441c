-- +goose Up

-- How far the consumers of a squid's results have come.
CREATE TABLE cursors (
    squid_pk   BIGINT NOT NULL,
    name       TEXT NOT NULL,
    mark       BYTEA NOT NULL, -- 16 random bytes, others each time the cursor is set
    seq        BIGINT NOT NULL, -- results up to this sequence number are acknowledged
    created_at BIGINT NOT NULL,
    acked_at   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (squid_pk, name)
) {clustered};
