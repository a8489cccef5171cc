-- Who told a row, by what they can know: a registry's statistics name country and holder but never a
-- contact, so they must not empty what a table or the registry's own database told.
ALTER TABLE network ADD COLUMN teller TEXT NOT NULL DEFAULT 'table'
    CONSTRAINT known_teller CHECK (teller IN ('statistics', 'table', 'database'));

-- 1: the ranges around it do not answer for it. RIPE gives an end user's own space no contact of the
-- space around it.
ALTER TABLE network ADD COLUMN ends_ladder BIGINT NOT NULL DEFAULT 0;

-- An AS and its holder; a rung of the ladder above the largest range.
CREATE TABLE autonomous_system (
    asn         BIGINT PRIMARY KEY,
    name        TEXT   NOT NULL,
    holder      TEXT   NOT NULL,
    country     TEXT   NOT NULL,
    handle      TEXT   NOT NULL,
    registry    TEXT   NOT NULL,
    teller      TEXT   NOT NULL
        CONSTRAINT known_teller CHECK (teller IN ('statistics', 'table', 'database')),
    source      TEXT   NOT NULL,
    told_at     BIGINT NOT NULL
);

CREATE TABLE system_contact (
    asn         BIGINT NOT NULL REFERENCES autonomous_system (asn) ON DELETE CASCADE,
    rank        BIGINT NOT NULL,
    mailbox     TEXT   NOT NULL,
    PRIMARY KEY (asn, rank)
);
