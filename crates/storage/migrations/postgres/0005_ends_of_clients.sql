-- From which version of it on the tokens of a client that ended count again. It only adds: nodes of the schema before work
-- on. They write `until` alone: `version` stands only where `version_until` is `until`.
ALTER TABLE ended_clients ADD COLUMN version BIGINT;
ALTER TABLE ended_clients ADD COLUMN version_until BIGINT;
