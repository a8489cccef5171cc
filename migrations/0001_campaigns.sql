-- One text for SQLite and PostgreSQL. {PK} (and {PK_ONCE}, see the letters) is the one word that must
-- differ: SQLite's rowid alias (half the size and twice the speed of any other key there) is spelt
-- unlike PostgreSQL's identity.
--
-- The rules of this folder: BIGINT for every number (an INTEGER is 32 bits on PostgreSQL only),
-- moments as BIGINT milliseconds, no BOOLEAN (a nullable moment says whether and when), states as
-- TEXT with a CHECK that a test compares with the program's own list.

CREATE TABLE campaign (
    id          {PK},
    name        TEXT   NOT NULL CONSTRAINT one_campaign_of_a_name UNIQUE,
    letter      TEXT   NOT NULL,
    state       TEXT   NOT NULL CONSTRAINT known_campaign_state CHECK (state IN (
                    'draft', 'submitted', 'approved', 'paused', 'cancelled', 'settled')),
    created_at  BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    -- When resolve last went over all of it: a table or override changed later means once more.
    resolved_at BIGINT,
    composed_at BIGINT
);

-- Who decided what over which digest. Only ever added to.
CREATE TABLE decision (
    id          {PK},
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    kind        TEXT   NOT NULL CONSTRAINT known_decision CHECK (kind IN (
                    'submitted', 'approved', 'returned', 'voided', 'paused', 'resumed', 'cancelled')),
    decided_by  TEXT   NOT NULL,
    decided_at  BIGINT NOT NULL,
    digest      TEXT   NOT NULL,
    reason      TEXT   NOT NULL
);
CREATE INDEX decision_of_campaign ON decision (campaign_id, id);

-- One reading of one feed.
CREATE TABLE import (
    id          {PK},
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    feed        TEXT   NOT NULL,
    imported_by TEXT   NOT NULL,
    began_at    BIGINT NOT NULL,
    -- NULL: it is under way, or was cut off. Reading the same feed again finds what is there.
    finished_at BIGINT,
    row_count   BIGINT NOT NULL,
    fresh       BIGINT NOT NULL,
    repeated    BIGINT NOT NULL,
    refused     BIGINT NOT NULL
);
CREATE INDEX import_of_campaign ON import (campaign_id, id);

-- A row that is no suspect, with what to do about it; kept, so that nothing is dropped unseen.
CREATE TABLE refusal (
    id          {PK},
    import_id   BIGINT NOT NULL REFERENCES import (id),
    line        BIGINT NOT NULL,
    field       TEXT   NOT NULL,
    value       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    remedy      TEXT   NOT NULL,
    raw         TEXT   NOT NULL
);
CREATE INDEX refusal_of_import ON refusal (import_id, id);
