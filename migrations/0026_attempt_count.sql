-- How many attempts ended how. Whoever watches the service asks every few seconds, and a million attempts are not
-- gone through for that. Each worker counts in a row of its own, one of a few, so that none waits for another.
CREATE TABLE attempt_count (
    outcome TEXT   NOT NULL,
    slot    BIGINT NOT NULL,
    n       BIGINT NOT NULL,
    PRIMARY KEY (outcome, slot)
);
INSERT INTO attempt_count (outcome, slot, n)
SELECT outcome, 0, COUNT(*) FROM attempt WHERE outcome IS NOT NULL GROUP BY outcome;

-- For the same reason: a reading holds the whole text of what came.
CREATE INDEX reading_of_class ON reading (class);
