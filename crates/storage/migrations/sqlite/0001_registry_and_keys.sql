-- Domains and clients, key rings, revoked tokens.
--
-- A record is JSON that its own crate writes, reads and checks; the columns beside it are what statements compare.
-- Rows are keyed by `seq`, which grows with time: new rows go to the end of the table.

CREATE TABLE domains (
    seq    INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    record TEXT    NOT NULL
) STRICT;

CREATE TABLE clients (
    seq       INTEGER PRIMARY KEY,
    client_id TEXT    NOT NULL UNIQUE,
    domain_id TEXT    NOT NULL REFERENCES domains (id),
    version   INTEGER NOT NULL,
    record    TEXT    NOT NULL
) STRICT;
CREATE INDEX clients_by_domain ON clients (domain_id, client_id);

CREATE TABLE key_rings (
    domain_id  TEXT    PRIMARY KEY,
    generation INTEGER NOT NULL,
    ring       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revoked_tokens (
    seq        INTEGER PRIMARY KEY,
    domain_id  TEXT    NOT NULL,
    token_id   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (domain_id, token_id)
) STRICT;
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- How often each kind of record has changed: what caches compare. Triggers count, so that a change made by hand
-- counts too.
CREATE TABLE change_counts (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    clients     INTEGER NOT NULL DEFAULT 0,
    key_rings   INTEGER NOT NULL DEFAULT 0,
    revocations INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO change_counts (id) VALUES (1);

CREATE TRIGGER domains_inserted AFTER INSERT ON domains BEGIN UPDATE change_counts SET clients = clients + 1; END;
CREATE TRIGGER domains_updated AFTER UPDATE ON domains BEGIN UPDATE change_counts SET clients = clients + 1; END;
CREATE TRIGGER domains_deleted AFTER DELETE ON domains BEGIN UPDATE change_counts SET clients = clients + 1; END;
CREATE TRIGGER clients_inserted AFTER INSERT ON clients BEGIN UPDATE change_counts SET clients = clients + 1; END;
CREATE TRIGGER clients_updated AFTER UPDATE ON clients BEGIN UPDATE change_counts SET clients = clients + 1; END;
CREATE TRIGGER clients_deleted AFTER DELETE ON clients BEGIN UPDATE change_counts SET clients = clients + 1; END;
CREATE TRIGGER key_rings_inserted AFTER INSERT ON key_rings BEGIN UPDATE change_counts SET key_rings = key_rings + 1; END;
CREATE TRIGGER key_rings_updated AFTER UPDATE ON key_rings BEGIN UPDATE change_counts SET key_rings = key_rings + 1; END;
CREATE TRIGGER key_rings_deleted AFTER DELETE ON key_rings BEGIN UPDATE change_counts SET key_rings = key_rings + 1; END;
CREATE TRIGGER revoked_tokens_inserted AFTER INSERT ON revoked_tokens BEGIN UPDATE change_counts SET revocations = revocations + 1; END;
CREATE TRIGGER revoked_tokens_updated AFTER UPDATE ON revoked_tokens BEGIN UPDATE change_counts SET revocations = revocations + 1; END;
CREATE TRIGGER revoked_tokens_deleted AFTER DELETE ON revoked_tokens BEGIN UPDATE change_counts SET revocations = revocations + 1; END;

-- "SEAL": marks the file as ours.
PRAGMA application_id = 1397047628;
PRAGMA user_version = 1;
