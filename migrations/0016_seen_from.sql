-- When the feed first saw it, where it told that beside the last time; NULL: the same as seen_at, as in
-- all rows of before. No index: it is read with the row, or by the row's address.
ALTER TABLE suspect ADD COLUMN seen_from BIGINT;
