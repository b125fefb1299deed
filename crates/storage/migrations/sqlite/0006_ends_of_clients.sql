-- From which version of it on the tokens of a client that ended count again. It only adds.
-- A program of the schema before writes `until` alone: `version` stands only where `version_until` is `until`.
ALTER TABLE ended_clients ADD COLUMN version INTEGER;
ALTER TABLE ended_clients ADD COLUMN version_until INTEGER;

PRAGMA user_version = 6;
