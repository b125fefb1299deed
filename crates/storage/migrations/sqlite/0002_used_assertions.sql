-- Client assertions that were used, each until it has ended.

CREATE TABLE used_assertions (
    seq          INTEGER PRIMARY KEY,
    client_id    TEXT    NOT NULL,
    assertion_id TEXT    NOT NULL,
    forget_at    INTEGER NOT NULL,
    UNIQUE (client_id, assertion_id)
) STRICT;
CREATE INDEX used_assertions_by_end ON used_assertions (forget_at);

-- How many of each client are kept: compared with its bound at every use, which counting the rows would make slow.
CREATE TABLE used_assertion_counts (
    client_id TEXT    PRIMARY KEY,
    kept      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER used_assertions_inserted AFTER INSERT ON used_assertions BEGIN
    INSERT INTO used_assertion_counts (client_id, kept) VALUES (NEW.client_id, 1)
    ON CONFLICT (client_id) DO UPDATE SET kept = kept + 1;
END;
CREATE TRIGGER used_assertions_deleted AFTER DELETE ON used_assertions BEGIN
    UPDATE used_assertion_counts SET kept = kept - 1 WHERE client_id = OLD.client_id;
    DELETE FROM used_assertion_counts WHERE client_id = OLD.client_id AND kept <= 0;
END;

PRAGMA user_version = 2;
