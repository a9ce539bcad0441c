-- +goose Up

-- On SQLite the digests of an active run's results, beside the newest ones,
-- which the writer holds in memory: see digests.go. An index of digests takes
-- each row at a random place, so that a batch rewrites most of its leaves; this
-- table takes many rows at once, in order. On PostgreSQL, where several
-- processes write, the index results_digest stays and the table is empty.
CREATE TABLE result_keys (
    run_pk   BIGINT NOT NULL,
    digest   BYTEA NOT NULL,
    task_seq BIGINT NOT NULL,
    key      BIGINT NOT NULL,
    PRIMARY KEY (run_pk, digest)
) {clustered};

-- Results of the run up to this sequence number are in result_keys.
ALTER TABLE runs ADD COLUMN keyed_seq BIGINT NOT NULL DEFAULT 0;

{sqlite} INSERT INTO result_keys (run_pk, digest, task_seq, key)
{sqlite}     SELECT p.run_pk, p.digest, p.task_seq, p.key FROM results p
{sqlite}     WHERE p.run_pk IN (SELECT pk FROM runs WHERE status IN ('pending', 'running', 'paused', 'uploading'))
{sqlite}     ORDER BY p.run_pk, p.digest;
{sqlite} UPDATE runs SET keyed_seq = last_seq WHERE status IN ('pending', 'running', 'paused', 'uploading');
{sqlite} DROP INDEX results_digest;
