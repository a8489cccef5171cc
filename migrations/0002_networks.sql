-- Addresses are 16 bytes, big-endian, IPv4 in its IPv4-mapped place: the order of the bytes is the
-- order of the addresses, one index serves both families, and range questions cost microseconds on
-- both engines (as two BIGINTs they cost milliseconds on PostgreSQL).

-- One loading of a table of networks; its time tells resolve that answers may have changed.
CREATE TABLE table_load (
    id          {PK},
    name        TEXT   NOT NULL,
    loaded_by   TEXT   NOT NULL,
    loaded_at   BIGINT NOT NULL,
    networks    BIGINT NOT NULL,
    refused     BIGINT NOT NULL
);

CREATE TABLE network (
    id          {PK},
    first       BYTEA  NOT NULL,
    last        BYTEA  NOT NULL,
    name        TEXT   NOT NULL,
    holder      TEXT   NOT NULL,
    country     TEXT   NOT NULL,
    asn         BIGINT,
    handle      TEXT   NOT NULL,
    registry    TEXT   NOT NULL,
    locale      TEXT   NOT NULL,
    -- Which table or registry said so, and when.
    source      TEXT   NOT NULL,
    told_at     BIGINT NOT NULL,
    CONSTRAINT one_network_of_a_range UNIQUE (first, last)
);

-- Contacts hang on networks, never on suspects: when one changes, one row does.
CREATE TABLE contact (
    network_id  BIGINT NOT NULL REFERENCES network (id) ON DELETE CASCADE,
    rank        BIGINT NOT NULL,
    mailbox     TEXT   NOT NULL,
    PRIMARY KEY (network_id, rank)
);

-- What staff decided goes before every registry. A NULL mailbox is never.
CREATE TABLE contact_override (
    id          {PK},
    -- One of the three: a prefix, an AS number, a registry handle (in lower case).
    first       BYTEA,
    last        BYTEA,
    asn         BIGINT,
    handle      TEXT,
    mailbox     TEXT,
    locale      TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    owner       TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    removed_at  BIGINT,
    removed_by  TEXT,
    CONSTRAINT an_override_has_one_subject CHECK (
        (first IS NOT NULL AND last IS NOT NULL AND asn IS NULL AND handle IS NULL)
        OR (first IS NULL AND last IS NULL AND asn IS NOT NULL AND handle IS NULL)
        OR (first IS NULL AND last IS NULL AND asn IS NULL AND handle IS NOT NULL))
);

-- The dated roll of those who sign.
CREATE TABLE signatory (
    id          {PK},
    agency      TEXT   NOT NULL,
    local_name  TEXT   NOT NULL,
    country     TEXT   NOT NULL,
    framework   TEXT   NOT NULL,
    signs_from  BIGINT,
    signs_until BIGINT,
    position    BIGINT NOT NULL,
    CONSTRAINT one_signatory_of_a_name UNIQUE (agency, country, framework)
);
