-- The license of each workspace, its credits, and its use by day. Workspaces that were there before get their license from
-- the engine when it starts.

CREATE TABLE licenses (
    workspace_id TEXT PRIMARY KEY REFERENCES workspaces (id),
    id TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL,
    status TEXT NOT NULL, -- active, expired, blocked
    status_reason TEXT,
    renews INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    included INTEGER NOT NULL, -- state changes of each period
    extra INTEGER NOT NULL, -- credited
    used INTEGER NOT NULL,
    thresholds TEXT NOT NULL, -- a JSON list of percentages
    expiring_told INTEGER NOT NULL,
    next_look_at INTEGER, -- when the clock has something to do here: renew, tell that it expires, expire
    updated_at INTEGER NOT NULL
);
CREATE INDEX licenses_by_next_look ON licenses (next_look_at) WHERE next_look_at IS NOT NULL;

-- State changes added to a balance, by people, programs and renewals.
CREATE TABLE license_credits (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    amount INTEGER NOT NULL,
    source TEXT NOT NULL, -- purchase, renewal, bonus, adjustment
    note TEXT,
    by TEXT NOT NULL, -- JSON: type, id, name
    at INTEGER NOT NULL,
    balance INTEGER NOT NULL -- after it
);
CREATE INDEX license_credits_by_time ON license_credits (workspace_id, at, id);

-- State changes used on each day (UTC).
CREATE TABLE license_usage (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    day INTEGER NOT NULL, -- when it began
    amount INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, day)
);
