-- How many webhooks a workspace has, deleted ones not counted: what bounds them must not count them.
ALTER TABLE workspaces ADD COLUMN webhooks BIGINT NOT NULL DEFAULT 0;
UPDATE workspaces SET webhooks = (SELECT COUNT(*) FROM webhooks w WHERE w.workspace_id = workspaces.id AND w.deleted_at IS NULL);
