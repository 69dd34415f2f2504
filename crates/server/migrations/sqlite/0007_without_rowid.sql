-- Deliveries and attempts are found by their primary keys alone: without a row id there is one B-tree for each instead of two,
-- which is one page less to write in every commit of a publish and of an outcome.

ALTER TABLE deliveries RENAME TO deliveries_with_rowid;
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY NOT NULL,
    workspace_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    state TEXT NOT NULL, -- pending, delivered, failed, cancelled
    due_at INTEGER NOT NULL, -- when to look at it next: the retry's time, or the end of the lease
    leased_by TEXT, -- the node that has it in memory
    reason TEXT NOT NULL, -- why the next attempt is made: automatic, resend, test
    prior_state TEXT, -- what a resend that fails goes back to
    prior_due_at INTEGER,
    tries INTEGER NOT NULL DEFAULT 0, -- automatic attempts made
    attempts INTEGER NOT NULL DEFAULT 0, -- all attempts made
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO deliveries (id, workspace_id, webhook_id, event_id, event_type, state, due_at, leased_by, reason, prior_state,
    prior_due_at, tries, attempts, created_at, updated_at)
SELECT id, workspace_id, webhook_id, event_id, event_type, state, due_at, leased_by, reason, prior_state,
    prior_due_at, tries, attempts, created_at, updated_at
FROM deliveries_with_rowid ORDER BY id;
DROP TABLE deliveries_with_rowid;
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_tests ON deliveries (due_at) WHERE state = 'pending' AND reason = 'test';
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, created_at, id);
CREATE INDEX deliveries_by_event ON deliveries (event_id);

ALTER TABLE attempts RENAME TO attempts_with_rowid;
CREATE TABLE attempts (
    delivery_id TEXT NOT NULL,
    number INTEGER NOT NULL, -- 1, 2, 3, …
    reason TEXT NOT NULL, -- automatic, resend, test
    started_at INTEGER NOT NULL,
    duration INTEGER NOT NULL, -- microseconds
    status INTEGER, -- of the answer
    error TEXT, -- a code: timeout, dns_failed, …
    message TEXT, -- the error in words
    response_headers TEXT, -- JSON: a list of names and values
    response_body BLOB, -- the first 4 KiB
    PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;
INSERT INTO attempts (delivery_id, number, reason, started_at, duration, status, error, message, response_headers, response_body)
SELECT delivery_id, number, reason, started_at, duration, status, error, message, response_headers, response_body
FROM attempts_with_rowid ORDER BY delivery_id, number;
DROP TABLE attempts_with_rowid;
