-- An override may also speak about the domain of a mailbox. SQLite cannot change a CHECK, and a copy of
-- the table would lose PostgreSQL's place in its numbers, which people have written down: so the column
-- of handles becomes one of names, and beside it stands what kind of name it is.
ALTER TABLE contact_override RENAME COLUMN handle TO name;
ALTER TABLE contact_override ADD COLUMN name_is TEXT
    CONSTRAINT known_override_name CHECK (name_is IN ('handle', 'domain'));
UPDATE contact_override SET name_is = 'handle' WHERE name IS NOT NULL;

-- How the recipient wants its letters, or empty. No CHECK: more formats will come.
ALTER TABLE contact_override ADD COLUMN format TEXT NOT NULL DEFAULT '';
ALTER TABLE finding ADD COLUMN format TEXT NOT NULL DEFAULT '';

-- What the mailbox is registered for, where that is not the network itself: the larger range, the AS, or
-- the country. The letter says so.
ALTER TABLE finding ADD COLUMN answers_for TEXT NOT NULL DEFAULT '';
