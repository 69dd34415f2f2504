-- Whose a webhook was until they left, were removed or, as an API key, deleted: JSON with type, id, name, until. The last of several.
ALTER TABLE webhooks ADD COLUMN previous_owner TEXT;
