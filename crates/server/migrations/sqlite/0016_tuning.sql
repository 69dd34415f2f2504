-- What PostgreSQL needs to stay fast, of which SQLite needs the index.

-- How much is held is asked again and again: of all webhooks, those that are inactive.
CREATE INDEX webhooks_inactive ON webhooks (id) WHERE status = 'inactive' AND deleted_at IS NULL;
