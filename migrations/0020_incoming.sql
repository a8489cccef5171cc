-- What came back, as it came. Only ever added; what was made of it stands in reading, and can be made anew.
CREATE TABLE incoming (
    id            {PK},
    -- SHA-256 over envelope and message: what is handed over twice is one.
    digest        TEXT   NOT NULL CONSTRAINT one_incoming_of_a_message UNIQUE,
    came_at       BIGINT NOT NULL,
    via           TEXT   NOT NULL CONSTRAINT known_way_in CHECK (via IN ('lmtp', 'imap', 'file')),
    -- Empty: the null reverse-path; NULL: nobody has written down who it was.
    envelope_from TEXT,
    envelope_to   TEXT   NOT NULL,
    -- Bytes of the whole, of which the first megabyte is kept.
    size          BIGINT NOT NULL,
    message       BYTEA  NOT NULL,
    read_at       BIGINT
);
CREATE INDEX incoming_unread ON incoming (id) WHERE read_at IS NULL;

-- What was made of it: by rules, or by whoever knew better.
CREATE TABLE reading (
    incoming_id BIGINT NOT NULL PRIMARY KEY REFERENCES incoming (id),
    class       TEXT   NOT NULL CONSTRAINT known_class CHECK (class IN (
                    'bounce-hard', 'bounce-soft', 'delayed', 'delivered', 'auto-reply', 'feedback', 'human',
                    'other')),
    -- Which automatic answer it is.
    kind        TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    -- Whose letter it is about, and by what that is known. Only token and envid prove it, and change what
    -- is held of the letter.
    letter_id   BIGINT REFERENCES letter (id) ON DELETE SET NULL,
    known_by    TEXT   NOT NULL CONSTRAINT known_match CHECK (known_by IN (
                    '', 'token', 'envid', 'message-id', 'ticket')),
    -- Why it counts for nothing although it looks like ours.
    untrue      TEXT   NOT NULL,
    sender      TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    -- The number that an abuse desk gave the case.
    ticket      TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    -- Which rule said so, a line each.
    evidence    TEXT   NOT NULL,
    -- Who said what it is; empty: the rules.
    classed_by  TEXT   NOT NULL,
    -- What staff make of it; empty: there is nothing for them to do.
    state       TEXT   NOT NULL CONSTRAINT known_reply_state CHECK (state IN (
                    '', 'open', 'fixed', 'disputed', 'wrong-contact', 'needs-more', 'closed')),
    -- Who said so; empty: the rules.
    decided_by  TEXT   NOT NULL,
    decided_at  BIGINT
);
CREATE INDEX reading_of_letter ON reading (letter_id, incoming_id);
CREATE INDEX reading_open ON reading (incoming_id) WHERE state NOT IN ('', 'fixed', 'closed');

-- What a report says of one recipient.
CREATE TABLE reported (
    incoming_id BIGINT NOT NULL REFERENCES incoming (id),
    position    BIGINT NOT NULL,
    recipient   TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    class       TEXT   NOT NULL,
    -- RFC 3463 and the server's words, verbatim.
    status      TEXT   NOT NULL,
    diagnostic  TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    -- Empty: it is no failure, or nobody knows; 'ours': what it failed for is ours to mend.
    weight      TEXT   NOT NULL CONSTRAINT known_weight CHECK (weight IN ('', 'hard', 'soft', 'ours')),
    -- 1: it is proved to be about this very letter and its recipient, and changes what is held of it.
    counts      BIGINT NOT NULL,
    PRIMARY KEY (incoming_id, position)
);

-- What became of a letter after the next mail server took it, and who answered.
ALTER TABLE delivery ADD COLUMN fate TEXT NOT NULL DEFAULT '' CONSTRAINT known_fate CHECK (fate IN (
    '', 'delayed', 'relayed', 'expanded', 'delivered', 'bounced-soft', 'bounced-hard'));
ALTER TABLE delivery ADD COLUMN answered TEXT NOT NULL DEFAULT '' CONSTRAINT known_answered CHECK (answered IN (
    '', 'noted', 'acknowledged', 'replied', 'complained'));
-- What came before the letter was sent once more says nothing of it any more.
ALTER TABLE delivery ADD COLUMN heard_from BIGINT NOT NULL DEFAULT 0;
-- How often it was sent again by itself, because it came back for a cause that passes.
ALTER TABLE delivery ADD COLUMN sent_again BIGINT NOT NULL DEFAULT 0;

-- Addresses that nothing is written to, in their base form. Proposed: until somebody has approved it.
CREATE TABLE suppression (
    id          {PK},
    address     TEXT   NOT NULL,
    cause       TEXT   NOT NULL CONSTRAINT known_cause CHECK (cause IN ('dead', 'complaint', 'opt-out', 'staff')),
    reason      TEXT   NOT NULL,
    incoming_id BIGINT REFERENCES incoming (id),
    added_by    TEXT   NOT NULL,
    added_at    BIGINT NOT NULL,
    approved_by TEXT,
    -- NULL: until somebody removes it.
    expires_at  BIGINT,
    removed_by  TEXT,
    removed_at  BIGINT
);
CREATE INDEX suppression_of_address ON suppression (address) WHERE removed_at IS NULL;
-- Who was passed over for it, best first, with spaces between: the letter to the next one says so.
ALTER TABLE finding ADD COLUMN passed TEXT NOT NULL DEFAULT '';
-- Why a letter was not sent, in state cancelled.
ALTER TABLE delivery ADD COLUMN suppression_id BIGINT REFERENCES suppression (id);

-- What the tokens in addresses are written with: the newest; the others are read with until reports to
-- the last letters that bear them can have come.
CREATE TABLE token_key (
    id          BIGINT NOT NULL PRIMARY KEY CONSTRAINT one_character CHECK (id BETWEEN 0 AND 31),
    value       BYTEA  NOT NULL,
    made_at     BIGINT NOT NULL,
    expires_at  BIGINT,
    -- Milliseconds for which reports to the last letter that bears it are waited for.
    read_for    BIGINT
);
