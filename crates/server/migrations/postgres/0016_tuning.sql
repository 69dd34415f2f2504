-- Why each line, and which of them was measured: docs/adr/0034-hot-tables-on-postgresql.md.

-- Whoever writes events has locked the workspace's row to take their numbers: asking for it again, event by event, is for nothing.
ALTER TABLE events DROP CONSTRAINT events_workspace_id_fkey;

-- A delivery changes once or twice and leaves its old row, and an entry in each index, behind. A fifth of a table of millions, as is
-- the default, is far too late; what is cleared away early is found by the next row, and the index of what is due stays small.
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000, autovacuum_analyze_scale_factor = 0.02);
-- Rows that are read and written with each request: tiny tables with many changes, whose rows must stay in their pages.
ALTER TABLE workspaces SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE webhooks SET (fillfactor = 80);
ALTER TABLE licenses SET (fillfactor = 50);
ALTER TABLE api_keys SET (fillfactor = 80);

-- How much is held is asked again and again: of all webhooks, those that are inactive.
CREATE INDEX webhooks_inactive ON webhooks (id) WHERE status = 'inactive' AND deleted_at IS NULL;
