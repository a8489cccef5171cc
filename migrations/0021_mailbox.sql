-- How far a mailbox has been read over IMAP (RFC 3501 2.3.1.1).
CREATE TABLE mailbox (
    -- user@host:port/folder
    name     TEXT   NOT NULL PRIMARY KEY,
    -- Another one: the numbers below say nothing any more.
    validity BIGINT NOT NULL,
    -- All up to this number is kept.
    last_uid BIGINT NOT NULL
);
