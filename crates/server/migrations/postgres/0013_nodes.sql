-- The processes that serve this database. It belongs to them and not to the data: nothing depends on it but what is shown, and how
-- limits are shared out. A row that is not renewed is of a node that has died.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    place TEXT NOT NULL, -- the machine's name, and where it listens
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL -- both by the database's clock
);
