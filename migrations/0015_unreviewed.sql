-- Languages, with commas between, whose letters nobody who reads them had vouched for, and which the
-- second person accepted all the same.
ALTER TABLE decision ADD COLUMN unreviewed TEXT NOT NULL DEFAULT '';
