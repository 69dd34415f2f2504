-- Deliveries that somebody has sent again, many at a time. A webhook has one that runs at the most.
CREATE TABLE replays (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id),
    asked_by TEXT NOT NULL, -- JSON: type, id, name
    state TEXT NOT NULL, -- of the deliveries: failed, cancelled, delivered
    event_type TEXT,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    status TEXT NOT NULL, -- running, done, cancelled
    total INTEGER NOT NULL, -- deliveries that there were when it began, up to a bound
    looked_at INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0, -- of those: made due
    cursor TEXT, -- where it goes on
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER
);
CREATE INDEX replays_by_webhook ON replays (webhook_id, created_at, id);
CREATE UNIQUE INDEX replays_one_running ON replays (webhook_id) WHERE status = 'running';
CREATE INDEX replays_running ON replays (updated_at, id) WHERE status = 'running';
