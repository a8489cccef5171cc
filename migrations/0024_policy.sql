-- What the campaigns of a schedule keep to.
-- The language of all its letters; empty: the recipient's.
ALTER TABLE campaign ADD COLUMN language TEXT NOT NULL DEFAULT '';
-- A contact with fewer observations is not written to.
ALTER TABLE campaign ADD COLUMN least BIGINT NOT NULL DEFAULT 0;
-- A contact is not told again within so many days, unless there are new addresses; 0: it is.
ALTER TABLE campaign ADD COLUMN again_after BIGINT NOT NULL DEFAULT 0;
-- Whether somebody was told of something lately is asked by mailbox.
CREATE INDEX notice_of_mailbox ON notice (mailbox);
