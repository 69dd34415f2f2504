-- The id of a delivery begins as its event's does, so the deliveries of an event are found by the primary key, and an index less
-- is written for each. Those that were there before stand apart, and keep an index until they are pruned.

ALTER TABLE deliveries ADD COLUMN apart INTEGER NOT NULL DEFAULT 1;
DROP INDEX deliveries_by_event;
CREATE INDEX deliveries_apart ON deliveries (event_id) WHERE apart = 1;
