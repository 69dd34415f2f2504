-- How an event came about: JSON with the way, the API key and the address. Events that are older have none.
ALTER TABLE events ADD COLUMN origin TEXT;
