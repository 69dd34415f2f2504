-- Lists stay fast however long they are: the index of each order carries what the list is filtered and searched by, so that of the
-- rows that are not shown the index alone is read.

ALTER TABLE memberships ADD COLUMN email TEXT NOT NULL DEFAULT ''; -- of the user, where it never changes
UPDATE memberships SET email = (SELECT u.email FROM users u WHERE u.id = memberships.user_id);
DROP INDEX memberships_by_name;
DROP INDEX memberships_by_joined;
CREATE INDEX memberships_by_name ON memberships (workspace_id, name_key, user_id, email, status);
CREATE INDEX memberships_by_email ON memberships (workspace_id, email, user_id, name_key, status);
CREATE INDEX memberships_by_joined ON memberships (workspace_id, joined_at, user_id, name_key, email, status);
CREATE INDEX memberships_by_status ON memberships (workspace_id, status, user_id, name_key, email);

DROP INDEX invites_by_workspace;
CREATE INDEX invites_by_created ON invites (workspace_id, created_at, id, email, status);
CREATE INDEX invites_by_email ON invites (workspace_id, email, id, status);
CREATE INDEX invites_by_expiry ON invites (workspace_id, expires_at, id, email, status);
CREATE INDEX invites_by_status ON invites (workspace_id, status, id, email);

-- The orders of webhooks stay as they are: what an index of PostgreSQL carries must be short, and URLs and descriptions are not.
CREATE INDEX webhooks_failing_by_created ON webhooks (workspace_id, created_at, id) WHERE health = 'failing' AND status = 'active' AND deleted_at IS NULL;
