-- An operator of an advisory's list, in the place that a suspect has in a notice: under a finding once
-- resolve has been there, and so in exactly one letter or in none for a reason.
CREATE TABLE addressee (
    id          {PK},
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    import_id   BIGINT NOT NULL REFERENCES import (id),
    line        BIGINT NOT NULL,
    -- AS64500, 192.0.2.0/24 or a mailbox: what makes it one in its list.
    known_by    TEXT   NOT NULL,
    -- Where its range begins, empty where it has none: resolve goes in address order.
    first       BYTEA  NOT NULL,
    -- The mailbox that the list names for it, or empty.
    mailbox     TEXT   NOT NULL,
    holder      TEXT   NOT NULL,
    country     TEXT   NOT NULL,
    locale      TEXT   NOT NULL,
    -- NULL: not resolved yet.
    finding_id  BIGINT REFERENCES finding (id),
    CONSTRAINT one_addressee_of_a_name UNIQUE (campaign_id, known_by)
);
CREATE INDEX addressee_in_order ON addressee (campaign_id, first, id);
CREATE INDEX addressee_of_finding ON addressee (finding_id, id) WHERE finding_id IS NOT NULL;

-- A reminder asks of each mailbox whether the first campaign wrote to it.
CREATE INDEX notice_by_mailbox ON notice (campaign_id, mailbox);
