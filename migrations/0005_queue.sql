-- One letter to one address: the row the queue lives in. Kept narrow, for every claim and every
-- result rewrites it; what is large stands in letter.
CREATE TABLE delivery (
    id          {PK},
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    letter_id   BIGINT NOT NULL CONSTRAINT one_delivery_of_a_letter UNIQUE REFERENCES letter (id),
    recipient   TEXT   NOT NULL,
    country     TEXT   NOT NULL,
    state       TEXT   NOT NULL CONSTRAINT known_delivery_state CHECK (state IN (
                    'ready', 'scheduled', 'leased', 'accepted', 'refused', 'expired', 'uncertain',
                    'failed', 'cancelled')),
    attempts    BIGINT NOT NULL,
    -- Leases that ended without a result: after three it is not handed out again.
    lapses      BIGINT NOT NULL,
    queued_at   BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    worker      TEXT   NOT NULL,
    lease_until BIGINT,
    ended_at    BIGINT
);
-- An index for each state that is asked for, and none over what has ended: they stay small as the
-- history grows. Future retries stand in a state of their own, or they would lie in the claim's way.
CREATE INDEX delivery_ready ON delivery (campaign_id, id) WHERE state = 'ready';
CREATE INDEX delivery_scheduled ON delivery (due_at) WHERE state = 'scheduled';
CREATE INDEX delivery_leased ON delivery (lease_until) WHERE state = 'leased';
CREATE INDEX delivery_of_campaign ON delivery (campaign_id, state);

-- One SMTP transaction. Only ever added, and finished once.
CREATE TABLE attempt (
    delivery_id BIGINT NOT NULL REFERENCES delivery (id),
    number      BIGINT NOT NULL,
    worker      TEXT   NOT NULL,
    began_at    BIGINT NOT NULL,
    -- NULL: under way, or cut off before its result could be written down.
    finished_at BIGINT,
    outcome     TEXT CONSTRAINT known_outcome CHECK (outcome IN (
                    'accepted', 'deferred', 'refused', 'uncertain', 'relay', 'failed')),
    relay       TEXT   NOT NULL,
    -- Whom the envelope named; another than the recipient while letters are redirected, nobody
    -- where they are written into a folder.
    sent_to     TEXT   NOT NULL,
    step        TEXT   NOT NULL,
    code        BIGINT NOT NULL,
    enhanced    TEXT   NOT NULL,
    reply       TEXT   NOT NULL,
    PRIMARY KEY (delivery_id, number)
);
