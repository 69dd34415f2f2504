-- Something sealed with the master key of this database, so that another key is refused at start. One row, made by the first server.
CREATE TABLE master_key (
    id BIGINT PRIMARY KEY, -- 1
    check_sealed BYTEA NOT NULL
);
