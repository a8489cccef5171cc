-- The names of a signatory beside its English and its own one, by the tag of their language.
CREATE TABLE signatory_name (
    signatory_id BIGINT NOT NULL REFERENCES signatory (id) ON DELETE CASCADE,
    locale       TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    PRIMARY KEY (signatory_id, locale)
);

-- Where it gets its copies, or empty. From here on a position of 0 is none: such signatories stand behind
-- the others, by country.
ALTER TABLE signatory ADD COLUMN mailbox TEXT NOT NULL DEFAULT '';

-- Of those who signed when the letters were written. NULL: written before this was kept, so that they are
-- to be written anew before anybody can approve them.
ALTER TABLE campaign ADD COLUMN roll_digest TEXT;
