-- Where a click says that no more letters are wanted (RFC 8058), as the letter bears it; empty: nowhere.
ALTER TABLE letter ADD COLUMN opt_out TEXT NOT NULL DEFAULT '';
