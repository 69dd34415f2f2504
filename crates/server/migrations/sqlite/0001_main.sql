-- Ids are TypeIDs, times are microseconds since the epoch (UTC), JSON is text, booleans are 0 and 1.
-- The file for the other engine has the same tables with that engine's type names.

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    sequence INTEGER NOT NULL DEFAULT 0, -- of the last event
    created_at INTEGER NOT NULL
);

-- A person, whichever workspaces they are in.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

-- A person in a workspace. Names belong here, so that no workspace can rename somebody in another.
CREATE TABLE memberships (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL, -- lower case, for sorting
    status TEXT NOT NULL, -- active, blocked
    status_reason TEXT,
    joined_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_by_name ON memberships (workspace_id, name_key, user_id);
CREATE INDEX memberships_by_joined ON memberships (workspace_id, joined_at, user_id);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE roles (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    built_in INTEGER NOT NULL,
    permissions TEXT NOT NULL, -- a JSON list of names
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
);

-- Who holds a role: a user or an API key.
CREATE TABLE role_members (
    workspace_id TEXT NOT NULL,
    role_id TEXT NOT NULL REFERENCES roles (id),
    principal_id TEXT NOT NULL,
    PRIMARY KEY (role_id, principal_id)
);
CREATE INDEX role_members_by_principal ON role_members (workspace_id, principal_id);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE, -- SHA-256, hexadecimal
    hint TEXT NOT NULL, -- the last four characters of the secret
    status TEXT NOT NULL, -- active, blocked
    status_reason TEXT,
    created_by TEXT NOT NULL, -- JSON: type, id, name
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_used_at INTEGER
);
CREATE INDEX api_keys_by_workspace ON api_keys (workspace_id, created_at, id);

CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    workspace_id TEXT REFERENCES workspaces (id), -- the one that is open
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- The one-time token of the set-up link, until the first owner exists.
CREATE TABLE setup (
    token_hash TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL
);

CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    email TEXT NOT NULL,
    role_ids TEXT NOT NULL, -- a JSON list
    status TEXT NOT NULL, -- pending, accepted, expired, deleted
    token_hash TEXT NOT NULL UNIQUE,
    token_sealed BLOB NOT NULL, -- so that the URL can be copied again
    invited_by TEXT NOT NULL, -- JSON: type, id, name
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    accepted_at INTEGER,
    user_id TEXT
);
CREATE INDEX invites_by_workspace ON invites (workspace_id, created_at, id);
CREATE INDEX invites_due ON invites (expires_at) WHERE status = 'pending';
CREATE UNIQUE INDEX invites_one_pending ON invites (workspace_id, email) WHERE status = 'pending';

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    event_types TEXT NOT NULL, -- a JSON list of exact names
    actor_types TEXT NOT NULL, -- ',users,invites,': for filtering
    headers_sealed BLOB, -- JSON, encrypted
    rate_limit INTEGER, -- requests per second
    owner_type TEXT NOT NULL, -- user, api_key
    owner_id TEXT NOT NULL,
    owner_name TEXT NOT NULL, -- kept in step with the owner's name
    owner_key TEXT NOT NULL, -- lower case, for sorting
    status TEXT NOT NULL, -- active, inactive
    status_reason TEXT, -- JSON of the last status change while inactive
    secret_sealed BLOB NOT NULL,
    old_secret_sealed BLOB, -- signs too, during a rotation
    old_secret_until INTEGER,
    signing_seed_sealed BLOB, -- ed25519, for v1a
    health TEXT NOT NULL, -- unknown, ok, failing
    failing_since INTEGER,
    failing_attempts INTEGER NOT NULL DEFAULT 0, -- failed attempts since then
    last_error TEXT, -- JSON: at, message, delivery_id
    cancel_before INTEGER NOT NULL DEFAULT 0, -- pending deliveries made until then count as cancelled ("skip what was missed"); negative: and none are left
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
);
CREATE INDEX webhooks_by_url ON webhooks (workspace_id, url, id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_by_owner ON webhooks (workspace_id, owner_key, id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_by_created ON webhooks (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_by_status ON webhooks (workspace_id, status, id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_by_owner_id ON webhooks (owner_id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_failing ON webhooks (failing_since) WHERE health = 'failing' AND status = 'active' AND deleted_at IS NULL;

-- Which webhooks want a type of event.
CREATE TABLE subscriptions (
    workspace_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id),
    PRIMARY KEY (workspace_id, event_type, webhook_id)
);
CREATE INDEX subscriptions_by_webhook ON subscriptions (webhook_id);

CREATE TABLE status_changes (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id),
    status TEXT NOT NULL, -- active, inactive
    code TEXT NOT NULL, -- manual, failing, gone, destination_forbidden
    message TEXT NOT NULL,
    by TEXT NOT NULL, -- JSON: type, id, name
    evidence TEXT, -- JSON
    at INTEGER NOT NULL
);
CREATE INDEX status_changes_by_webhook ON status_changes (webhook_id, at, id);

CREATE TABLE events (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    sequence INTEGER NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL, -- JSON: type, id, name
    data TEXT NOT NULL, -- JSON
    occurred_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    correlation_id TEXT,
    test INTEGER NOT NULL DEFAULT 0 -- made by Send test: nothing of it happened
);
CREATE UNIQUE INDEX events_by_sequence ON events (workspace_id, sequence);

-- Makes a publish safe to repeat.
CREATE TABLE idempotency_keys (
    workspace_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL, -- SHA-256 of what was asked
    answer TEXT NOT NULL, -- JSON
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- One event owed to one webhook. `held` is not stored: it is a pending delivery of an inactive webhook.
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
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
);
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_tests ON deliveries (due_at) WHERE state = 'pending' AND reason = 'test';
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, created_at, id);
CREATE INDEX deliveries_by_event ON deliveries (event_id);

-- One HTTP exchange for a delivery.
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
);
