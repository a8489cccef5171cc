-- What one contact is told in one round of one campaign. Tickets are made of its id: {PK_ONCE} is
-- {PK}, but a number once given is never given again, not even after its row is gone (SQLite would),
-- so that no print of a letter composed anew shares its ticket with another letter.
CREATE TABLE notice (
    id          {PK_ONCE},
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    round       BIGINT NOT NULL,
    mailbox     TEXT   NOT NULL,
    country     TEXT   NOT NULL,
    locale      TEXT   NOT NULL,
    suspects    BIGINT NOT NULL,
    networks    BIGINT NOT NULL,
    CONSTRAINT one_notice_a_contact_and_round UNIQUE (campaign_id, round, mailbox)
);

-- The rendered letter, frozen: approval speaks of its digest, every attempt sends its bytes.
CREATE TABLE letter (
    id            {PK},
    campaign_id   BIGINT NOT NULL REFERENCES campaign (id),
    notice_id     BIGINT NOT NULL REFERENCES notice (id),
    part          BIGINT NOT NULL,
    parts         BIGINT NOT NULL,
    ticket        TEXT   NOT NULL,
    locale        TEXT   NOT NULL,
    country       TEXT   NOT NULL,
    sender_name   TEXT   NOT NULL,
    sender        TEXT   NOT NULL,
    reply_to      TEXT   NOT NULL,
    recipient     TEXT   NOT NULL,
    envelope_from TEXT   NOT NULL,
    message_id    TEXT   NOT NULL CONSTRAINT one_letter_of_a_message_id UNIQUE,
    dated_at      BIGINT NOT NULL,
    subject       TEXT   NOT NULL,
    body_text     TEXT   NOT NULL,
    body_html     TEXT   NOT NULL,
    row_count     BIGINT NOT NULL,
    digest        TEXT   NOT NULL,
    CONSTRAINT one_letter_of_a_part UNIQUE (notice_id, part)
);
CREATE INDEX letter_of_campaign ON letter (campaign_id, id);
CREATE INDEX letter_by_ticket ON letter (ticket, part);

CREATE TABLE attachment (
    letter_id   BIGINT NOT NULL REFERENCES letter (id) ON DELETE CASCADE,
    position    BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    media_type  TEXT   NOT NULL,
    content     BYTEA  NOT NULL,
    PRIMARY KEY (letter_id, position)
);
