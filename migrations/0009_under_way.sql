-- Who resolves a campaign at present: two at once would take back each other's findings. The lease is
-- renewed while the work goes on; when it has run out, whoever comes next takes over.
CREATE TABLE resolving (
    campaign_id BIGINT NOT NULL PRIMARY KEY REFERENCES campaign (id),
    worker      TEXT   NOT NULL,
    begun_by    TEXT   NOT NULL,
    began_at    BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
);

-- A question under way, as before; what changes is that a way over several registries holds no slot of
-- one while it waits for another: two that are sent to each other's registry would wait for ever. The
-- rows live for seconds, so that none is carried over.
DROP TABLE question;
CREATE TABLE question (
    registry     TEXT   NOT NULL REFERENCES registry (name),
    worker       TEXT   NOT NULL,
    -- Keeps a registry from too many at once. NULL: it has answered by sending on to another.
    slot         BIGINT,
    -- Wider than any network: keeps two workers from asking about one before the first answer is
    -- known. Held where the way begins; NULL at those that it was sent on to.
    block        BIGINT,
    lease_until  BIGINT NOT NULL,
    PRIMARY KEY (registry, worker),
    CONSTRAINT one_question_in_a_slot UNIQUE (registry, slot),
    CONSTRAINT one_question_in_a_block UNIQUE (registry, block)
);
