-- When an engine was last at work, once there was one: time in which none was does not count towards turning webhooks off.
CREATE TABLE engine (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seen_at INTEGER NOT NULL -- by the database's clock
);

-- Microseconds since failing_since in which no engine was at work, or by which the clock was set.
ALTER TABLE webhooks ADD COLUMN failing_uncounted INTEGER NOT NULL DEFAULT 0;
