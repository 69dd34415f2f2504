-- A search reads one short column instead of lowering two for every webhook.

ALTER TABLE webhooks ADD COLUMN search_key TEXT COLLATE "C" NOT NULL DEFAULT ''; -- lower case: URL and description, one a line
UPDATE webhooks SET search_key = LOWER(url || CHR(10) || description);

-- Those that fail are few, and in these indexes while they do: in every order they are found without the others.
CREATE INDEX webhooks_failing_by_url ON webhooks (workspace_id, url, id) WHERE health = 'failing' AND status = 'active' AND deleted_at IS NULL;
CREATE INDEX webhooks_failing_by_owner ON webhooks (workspace_id, owner_key, id) WHERE health = 'failing' AND status = 'active' AND deleted_at IS NULL;
CREATE INDEX webhooks_failing_by_status ON webhooks (workspace_id, status, id) WHERE health = 'failing' AND status = 'active' AND deleted_at IS NULL;
