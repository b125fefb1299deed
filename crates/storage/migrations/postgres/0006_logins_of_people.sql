-- Whose a login under way is, so that nobody takes the places of all. It only adds: nodes of the schema before work on, and
-- what they write is nobody's.
ALTER TABLE interactions ADD COLUMN person TEXT COLLATE "C";
CREATE INDEX interactions_of_people ON interactions (domain_id, person, created_at) WHERE person IS NOT NULL;
