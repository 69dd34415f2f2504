-- Who offers the ownership of a workspace to whom. What was accepted, declined or withdrawn is deleted.
CREATE TABLE ownership_offers (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    from_user_id TEXT NOT NULL REFERENCES users (id),
    to_user_id TEXT NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX ownership_offers_one_each ON ownership_offers (workspace_id, from_user_id);
CREATE INDEX ownership_offers_by_to ON ownership_offers (workspace_id, to_user_id);
CREATE INDEX ownership_offers_by_created ON ownership_offers (workspace_id, created_at, id);
CREATE INDEX ownership_offers_by_end ON ownership_offers (expires_at);

-- Names of roles are unique whatever their case. Until now there were built-in roles only, whose names are ASCII.
ALTER TABLE roles ADD COLUMN name_key TEXT NOT NULL DEFAULT ''; -- lower case
UPDATE roles SET name_key = LOWER(name);
CREATE UNIQUE INDEX roles_by_name ON roles (workspace_id, name_key);
