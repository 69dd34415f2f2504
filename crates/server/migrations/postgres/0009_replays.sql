-- Deliveries that somebody has sent again, many at a time. A webhook has one that runs at the most.
CREATE TABLE replays (
    id TEXT COLLATE "C" PRIMARY KEY,
    workspace_id TEXT COLLATE "C" NOT NULL,
    webhook_id TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id),
    asked_by TEXT COLLATE "C" NOT NULL, -- JSON: type, id, name
    state TEXT COLLATE "C" NOT NULL, -- of the deliveries: failed, cancelled, delivered
    event_type TEXT COLLATE "C",
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL, -- running, done, cancelled
    total BIGINT NOT NULL, -- deliveries that there were when it began, up to a bound
    looked_at BIGINT NOT NULL DEFAULT 0,
    sent BIGINT NOT NULL DEFAULT 0, -- of those: made due
    cursor TEXT COLLATE "C", -- where it goes on
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX replays_by_webhook ON replays (webhook_id, created_at, id);
CREATE UNIQUE INDEX replays_one_running ON replays (webhook_id) WHERE status = 'running';
CREATE INDEX replays_running ON replays (updated_at, id) WHERE status = 'running';
