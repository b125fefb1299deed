-- What people granted, and that they are logged in.
--
-- As before: a record is JSON that its own crate writes, reads and checks; the columns beside it are what statements
-- compare, and each statement finds its rows by an index. Ids that are secrets are here as SHA-256, 32 octets.

-- The embedded directory. `name_key` is what two spellings of a name have in common.
CREATE TABLE users (
    seq       INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    domain_id TEXT    NOT NULL REFERENCES domains (id),
    name_key  TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    record    TEXT    NOT NULL,
    UNIQUE (domain_id, name_key)
) STRICT;

-- Authorization codes, each until a second use of it has nothing left to end. `produced` is what the first use gave.
CREATE TABLE codes (
    seq       INTEGER PRIMARY KEY,
    hash      BLOB    NOT NULL UNIQUE,
    forget_at INTEGER NOT NULL,
    produced  TEXT,
    record    TEXT    NOT NULL
) STRICT;
CREATE INDEX codes_by_end ON codes (forget_at);

-- Refresh families. `sid` only where the end of the session ends the family.
CREATE TABLE refresh_families (
    seq        INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    domain_id  TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    client_id  TEXT    NOT NULL,
    sid        TEXT,
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    record     TEXT    NOT NULL
) STRICT;
CREATE INDEX refresh_families_by_user ON refresh_families (user_id, domain_id, created_at);
CREATE INDEX refresh_families_by_grant ON refresh_families (user_id, domain_id, client_id);
CREATE INDEX refresh_families_by_client ON refresh_families (client_id);
CREATE INDEX refresh_families_by_session ON refresh_families (domain_id, sid) WHERE sid IS NOT NULL;
CREATE INDEX refresh_families_by_end ON refresh_families (expires_at);

-- Device requests. A user code names one request of its domain that is in date.
CREATE TABLE device_requests (
    seq        INTEGER PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE,
    domain_id  TEXT    NOT NULL,
    client_id  TEXT    NOT NULL,
    user_code  TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    record     TEXT    NOT NULL
) STRICT;
CREATE INDEX device_requests_by_user_code ON device_requests (domain_id, user_code, expires_at);
CREATE INDEX device_requests_by_domain ON device_requests (domain_id, expires_at);
CREATE INDEX device_requests_by_client ON device_requests (client_id, expires_at);
CREATE INDEX device_requests_by_end ON device_requests (expires_at);

CREATE TABLE consents (
    domain_id TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    client_id TEXT NOT NULL,
    record    TEXT NOT NULL,
    PRIMARY KEY (user_id, domain_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_by_client ON consents (client_id);

-- Clients that are to be told of the end of a session.
CREATE TABLE logout_notices (
    seq    INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    due_at INTEGER NOT NULL,
    record TEXT    NOT NULL
) STRICT;
CREATE INDEX logout_notices_by_due ON logout_notices (due_at);

-- Sessions. `id` changes when its person proves more; `sid`, its name in tokens, stays.
CREATE TABLE sessions (
    seq        INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    domain_id  TEXT    NOT NULL,
    sid        TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    record     TEXT    NOT NULL,
    UNIQUE (domain_id, sid)
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id, domain_id, sid);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Second factors: sealed secrets, hashes of codes, passkeys.
CREATE TABLE user_factors (
    seq       INTEGER PRIMARY KEY,
    domain_id TEXT    NOT NULL,
    user_id   TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    record    TEXT    NOT NULL,
    UNIQUE (user_id, domain_id)
) STRICT;

-- How often somebody was guessed at. `hash` stands for a name or a person.
CREATE TABLE login_throttles (
    seq       INTEGER PRIMARY KEY,
    hash      BLOB    NOT NULL UNIQUE,
    forget_at INTEGER NOT NULL,
    record    TEXT    NOT NULL
) STRICT;
CREATE INDEX login_throttles_by_end ON login_throttles (forget_at);

-- How many rows a table has that may not grow beyond a bound: counting them each time would be slow.
CREATE TABLE kept_rows (
    name TEXT    PRIMARY KEY,
    kept INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO kept_rows (name, kept) VALUES ('logout_notices', 0), ('login_throttles', 0);
CREATE TRIGGER logout_notices_inserted AFTER INSERT ON logout_notices BEGIN
    UPDATE kept_rows SET kept = kept + 1 WHERE name = 'logout_notices';
END;
CREATE TRIGGER logout_notices_deleted AFTER DELETE ON logout_notices BEGIN
    UPDATE kept_rows SET kept = kept - 1 WHERE name = 'logout_notices';
END;
CREATE TRIGGER login_throttles_inserted AFTER INSERT ON login_throttles BEGIN
    UPDATE kept_rows SET kept = kept + 1 WHERE name = 'login_throttles';
END;
CREATE TRIGGER login_throttles_deleted AFTER DELETE ON login_throttles BEGIN
    UPDATE kept_rows SET kept = kept - 1 WHERE name = 'login_throttles';
END;

PRAGMA user_version = 3;
