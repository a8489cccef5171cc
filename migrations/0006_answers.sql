-- What one registry said about one network or AS, and until when that counts. Kept under the range
-- of the answer, never under the address asked about: the next suspect of the same network finds it.
CREATE TABLE answer (
    id           {PK},
    source       TEXT   NOT NULL CONSTRAINT known_source CHECK (source IN ('rdap', 'whois', 'dns')),
    -- The AS it is about; 0, and then first and last say it, for an answer about addresses.
    about_asn    BIGINT NOT NULL,
    first        BYTEA  NOT NULL,
    last         BYTEA  NOT NULL,
    server       TEXT   NOT NULL,
    -- How sure the contact is; or a web form instead of one; or none; or no answer at all.
    outcome      TEXT   NOT NULL CONSTRAINT known_answer CHECK (outcome IN (
                     'explicit', 'remarks', 'contact', 'form', 'none', 'fault')),
    name         TEXT   NOT NULL,
    holder       TEXT   NOT NULL,
    country      TEXT   NOT NULL,
    origin_asn   BIGINT,
    registry     TEXT   NOT NULL,
    -- Lists, a space between two: they are read and written as one.
    handles      TEXT   NOT NULL,
    mailboxes    TEXT   NOT NULL,
    form         TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    asked_at     BIGINT NOT NULL,
    counts_until BIGINT NOT NULL,
    CONSTRAINT one_answer_of_a_source UNIQUE (source, about_asn, first, last)
);
CREATE INDEX answer_by_address ON answer (first);

-- How hard each registry has been asked, so that neither a restart nor a second worker forgets it.
-- Beside each registry ('ripe') stand its gates ('ripe/rdap'), which faults and limits close apart.
CREATE TABLE registry (
    name         TEXT   NOT NULL PRIMARY KEY,
    -- No question before: the last one and the time between two.
    next_at      BIGINT NOT NULL,
    -- Days since 1970-01-01 UTC, and the questions of that day.
    day          BIGINT NOT NULL,
    asked        BIGINT NOT NULL,
    -- After a limit or a row of faults: nothing is asked before.
    closed_until BIGINT,
    closed_why   TEXT   NOT NULL,
    -- Limits and faults since the last good answer.
    faults       BIGINT NOT NULL
);

-- A question under way. The slot keeps a registry from too many at once; the block, wider than any
-- network, keeps two workers from asking about one network before the first answer is known.
CREATE TABLE question (
    registry     TEXT   NOT NULL REFERENCES registry (name),
    slot         BIGINT NOT NULL,
    block        BIGINT NOT NULL,
    worker       TEXT   NOT NULL,
    lease_until  BIGINT NOT NULL,
    PRIMARY KEY (registry, slot),
    CONSTRAINT one_question_in_a_block UNIQUE (registry, block)
);

-- Whom a finding may be written to, best first: the next one serves when the one before is dead.
CREATE TABLE rung (
    finding_id   BIGINT NOT NULL REFERENCES finding (id) ON DELETE CASCADE,
    position     BIGINT NOT NULL,
    via          TEXT   NOT NULL CONSTRAINT known_via CHECK (via IN (
                     'override', 'own', 'parent', 'as', 'csirt')),
    mailbox      TEXT   NOT NULL,
    locale       TEXT   NOT NULL,
    format       TEXT   NOT NULL,
    answers_for  TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    PRIMARY KEY (finding_id, position)
);

-- Where a network wants to be told by a web form instead of by mail, which no letter can serve.
ALTER TABLE finding ADD COLUMN form TEXT NOT NULL DEFAULT '';
