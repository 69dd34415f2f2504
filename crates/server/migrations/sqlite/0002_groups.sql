-- Named sets of users and API keys.

CREATE TABLE groups (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL, -- lower case, for sorting; no two groups of a workspace share it
    owner_type TEXT NOT NULL, -- user, api_key
    owner_id TEXT NOT NULL,
    owner_name TEXT NOT NULL, -- kept in step with the owner's name
    owner_key TEXT NOT NULL, -- lower case, for sorting
    member_count INTEGER NOT NULL, -- kept in step with group_members, for sorting
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX groups_by_name ON groups (workspace_id, name_key);
CREATE INDEX groups_by_owner ON groups (workspace_id, owner_key, id);
CREATE INDEX groups_by_members ON groups (workspace_id, member_count, id);
CREATE INDEX groups_by_created ON groups (workspace_id, created_at, id);
CREATE INDEX groups_by_owner_id ON groups (workspace_id, owner_id);

-- Who is in a group: a user or an API key.
CREATE TABLE group_members (
    workspace_id TEXT NOT NULL,
    group_id TEXT NOT NULL REFERENCES groups (id),
    principal_id TEXT NOT NULL,
    name TEXT NOT NULL, -- kept in step with the member's name
    name_key TEXT NOT NULL, -- lower case, for sorting
    added_at INTEGER NOT NULL,
    PRIMARY KEY (group_id, principal_id)
);
CREATE INDEX group_members_by_name ON group_members (group_id, name_key, principal_id);
CREATE INDEX group_members_by_added ON group_members (group_id, added_at, principal_id);
CREATE INDEX group_members_by_principal ON group_members (workspace_id, principal_id, group_id);
