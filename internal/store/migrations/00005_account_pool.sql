-- +goose Up

-- The account that a running run works with, 0: none. A run that is not running
-- holds none: the column is cleared with the state.
ALTER TABLE runs ADD COLUMN account_pk BIGINT NOT NULL DEFAULT 0;
CREATE INDEX runs_account ON runs (account_pk) WHERE account_pk > 0;

ALTER TABLE accounts ADD COLUMN marked_at BIGINT NOT NULL DEFAULT 0;   -- when it got its status
ALTER TABLE accounts ADD COLUMN cool_until BIGINT NOT NULL DEFAULT 0;  -- left alone until then,
ALTER TABLE accounts ADD COLUMN cool_reason TEXT NOT NULL DEFAULT '';  -- for this done reason
ALTER TABLE accounts ADD COLUMN batch_used BIGINT NOT NULL DEFAULT 0;  -- of the present batch
ALTER TABLE accounts ADD COLUMN batch_at BIGINT NOT NULL DEFAULT 0;    -- when the last one was used up

-- What an account was used for since the reset at since; the next day's use
-- takes the place of the last one's.
CREATE TABLE account_uses (
    account_pk BIGINT NOT NULL,
    attribute  TEXT NOT NULL,
    since      BIGINT NOT NULL,
    used       BIGINT NOT NULL,
    at         BIGINT NOT NULL, -- when it last grew
    PRIMARY KEY (account_pk, attribute)
) {clustered};
