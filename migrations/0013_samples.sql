-- The message that a suspect was seen sending, as its feed told it: apart from the suspects, which are
-- millions and mostly have none. What leaves of it is made unrecognisable first.
CREATE TABLE sample (
    suspect_id  BIGINT NOT NULL PRIMARY KEY REFERENCES suspect (id),
    -- Bytes of the content, so that letters can be planned without reading it.
    size        BIGINT NOT NULL,
    content     TEXT   NOT NULL
);

-- What this installation knows and nobody else may: made when first asked for, never changed.
CREATE TABLE secret (
    name        TEXT   NOT NULL PRIMARY KEY,
    value       BYTEA  NOT NULL
);
