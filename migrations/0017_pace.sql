-- Whom nothing leaves to for a while, by whom and why: one letter, a domain or an address, over all
-- campaigns. What it has put back stands in the deliveries.
CREATE TABLE hold (
    id          {PK},
    kind        TEXT   NOT NULL CONSTRAINT known_hold CHECK (kind IN ('ticket', 'domain', 'address')),
    subject     TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    held_by     TEXT   NOT NULL,
    held_at     BIGINT NOT NULL,
    -- NULL: until somebody removes it.
    expires_at  BIGINT,
    removed_by  TEXT,
    removed_at  BIGINT
);
-- Asked before every batch: only those that nobody has removed.
CREATE INDEX hold_open ON hold (id) WHERE removed_at IS NULL;

-- Why it waits, in state scheduled; empty: it was deferred, or a relay was in trouble.
ALTER TABLE delivery ADD COLUMN waits TEXT NOT NULL DEFAULT ''
    CONSTRAINT known_wait CHECK (waits IN ('', 'hold', 'wave', 'window', 'cap', 'pace'));
ALTER TABLE delivery ADD COLUMN hold_id BIGINT REFERENCES hold (id);
-- The moment that was set aside for it, and by whom: its provider's pace, or the relay's, which is asked
-- after that. It counts while it is the due_at.
ALTER TABLE delivery ADD COLUMN slot_at BIGINT;
ALTER TABLE delivery ADD COLUMN slot_of TEXT NOT NULL DEFAULT ''
    CONSTRAINT known_slot CHECK (slot_of IN ('', 'provider', 'relay'));
-- Milliseconds that it waited because we wanted it to: they are not counted against its time to be tried.
ALTER TABLE delivery ADD COLUMN waited BIGINT NOT NULL DEFAULT 0;
CREATE INDEX delivery_held ON delivery (hold_id) WHERE hold_id IS NOT NULL;

-- A campaign's phased start, in this order.
CREATE TABLE wave (
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    position    BIGINT NOT NULL,
    starts_at   BIGINT NOT NULL,
    -- Whom it takes: `JP,KR`, `share=20%`, `*`.
    takes       TEXT   NOT NULL,
    set_by      TEXT   NOT NULL,
    set_at      BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, position)
);

-- When the next letter of a pace may leave, for all workers.
CREATE TABLE pace (
    name        TEXT   NOT NULL PRIMARY KEY,
    next_at     BIGINT NOT NULL
);

-- Leave to have one letter of a pace in hand. It counts while the worker holds any letter.
CREATE TABLE seat (
    name        TEXT   NOT NULL,
    place       BIGINT NOT NULL,
    worker      TEXT   NOT NULL,
    PRIMARY KEY (name, place)
);

-- How many letters an address was sent within the hour is asked of the letters, which are written once:
-- an index over deliveries would be paid for by each of their steps.
CREATE INDEX letter_by_recipient ON letter (recipient);
