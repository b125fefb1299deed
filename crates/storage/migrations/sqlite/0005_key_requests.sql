-- Changes of keys that wait for a second administrator. It only adds.
CREATE TABLE key_requests (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    domain_id    TEXT    NOT NULL,
    kid          TEXT    NOT NULL,
    requested_by TEXT    NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    statement    TEXT    NOT NULL,
    confirmed_by TEXT,
    confirmed_at INTEGER
) STRICT;
CREATE INDEX key_requests_by_end ON key_requests (expires_at);

PRAGMA user_version = 5;
