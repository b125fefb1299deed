-- Clients that ended with their tokens, and what clients are registered by without an administrator.

-- What a disabled or deleted client got until then no longer counts, though nobody keeps a list of it.
CREATE TABLE ended_clients (
    client_id TEXT    NOT NULL,
    domain_id TEXT    NOT NULL,
    until     INTEGER NOT NULL,
    forget_at INTEGER NOT NULL,
    PRIMARY KEY (domain_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ended_clients_by_end ON ended_clients (forget_at);

-- Initial access tokens, by the SHA-256 of their text. `id` names one and proves nothing.
CREATE TABLE initial_tokens (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    hash       BLOB    NOT NULL UNIQUE,
    domain_id  TEXT    NOT NULL REFERENCES domains (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    uses_left  INTEGER NOT NULL
) STRICT;
CREATE INDEX initial_tokens_by_domain ON initial_tokens (domain_id, id);
CREATE INDEX initial_tokens_by_end ON initial_tokens (expires_at);

-- Registration access tokens: each ends with its client, whoever deletes that.
CREATE TABLE registration_tokens (
    client_id TEXT NOT NULL PRIMARY KEY REFERENCES clients (client_id) ON DELETE CASCADE,
    hash      BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER ended_clients_inserted AFTER INSERT ON ended_clients BEGIN UPDATE change_counts SET revocations = revocations + 1; END;
CREATE TRIGGER ended_clients_updated AFTER UPDATE ON ended_clients BEGIN UPDATE change_counts SET revocations = revocations + 1; END;
CREATE TRIGGER ended_clients_deleted AFTER DELETE ON ended_clients BEGIN UPDATE change_counts SET revocations = revocations + 1; END;

PRAGMA user_version = 4;
