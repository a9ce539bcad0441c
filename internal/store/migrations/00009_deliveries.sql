-- +goose Up

-- The outbox: a row for each event of a run and each channel that wants it,
-- written in the transaction of the event.
CREATE TABLE deliveries (
    pk           {pk},
    id           TEXT NOT NULL UNIQUE, -- the same at every attempt
    workspace_pk BIGINT NOT NULL,
    squid_pk     BIGINT NOT NULL,
    run_pk       BIGINT NOT NULL,
    event        TEXT NOT NULL,
    event_seq    BIGINT NOT NULL, -- of the run's history; -pk of the delivery whose target was paused
    channel      TEXT NOT NULL,
    payload      TEXT NOT NULL, -- JSON of DeliveryPayload
    status       TEXT NOT NULL DEFAULT 'pending',
    target       TEXT NOT NULL DEFAULT '',
    attempts     BIGINT NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    last_at      BIGINT NOT NULL DEFAULT 0,
    next_at      BIGINT NOT NULL DEFAULT 0,
    delivered_at BIGINT NOT NULL DEFAULT 0,
    status_code  BIGINT NOT NULL DEFAULT 0,
    detail       TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX deliveries_event ON deliveries (run_pk, event_seq, channel);
CREATE INDEX deliveries_of_squid ON deliveries (squid_pk, pk);
CREATE INDEX deliveries_of_workspace ON deliveries (workspace_pk, pk);
CREATE INDEX deliveries_pending ON deliveries (squid_pk, channel, pk) WHERE status = 'pending';
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE status = 'pending';

-- The places that deliveries go to, each a channel of a squid. Whoever holds
-- the token before claimed_until sends the oldest delivery; nobody else does.
CREATE TABLE delivery_targets (
    squid_pk      BIGINT NOT NULL,
    channel       TEXT NOT NULL,
    token         BIGINT NOT NULL DEFAULT 0,
    claimed_until BIGINT NOT NULL DEFAULT 0,
    visit_at      BIGINT NOT NULL DEFAULT 0, -- when a job comes that was told to wait
    failures      BIGINT NOT NULL DEFAULT 0, -- deliveries given up in a row
    paused_at     BIGINT NOT NULL DEFAULT 0,
    paused_why    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (squid_pk, channel)
) {clustered};
