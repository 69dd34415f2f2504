-- The license of each workspace, its credits, and its use by day. Workspaces that were there before get their license from
-- the engine when it starts.

CREATE TABLE licenses (
    workspace_id TEXT COLLATE "C" PRIMARY KEY REFERENCES workspaces (id),
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    plan TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL, -- active, expired, blocked
    status_reason TEXT COLLATE "C",
    renews BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    included BIGINT NOT NULL, -- state changes of each period
    extra BIGINT NOT NULL, -- credited
    used BIGINT NOT NULL,
    thresholds TEXT COLLATE "C" NOT NULL, -- a JSON list of percentages
    expiring_told BIGINT NOT NULL,
    next_look_at BIGINT, -- when the clock has something to do here: renew, tell that it expires, expire
    updated_at BIGINT NOT NULL
);
CREATE INDEX licenses_by_next_look ON licenses (next_look_at) WHERE next_look_at IS NOT NULL;

-- State changes added to a balance, by people, programs and renewals.
CREATE TABLE license_credits (
    id TEXT COLLATE "C" PRIMARY KEY,
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id),
    amount BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL, -- purchase, renewal, bonus, adjustment
    note TEXT COLLATE "C",
    by TEXT COLLATE "C" NOT NULL, -- JSON: type, id, name
    at BIGINT NOT NULL,
    balance BIGINT NOT NULL -- after it
);
CREATE INDEX license_credits_by_time ON license_credits (workspace_id, at, id);

-- State changes used on each day (UTC).
CREATE TABLE license_usage (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id),
    day BIGINT NOT NULL, -- when it began
    amount BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, day)
);
