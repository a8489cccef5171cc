-- When a feed is read, and its letters written, without anybody there.
CREATE TABLE schedule (
    id           {PK},
    name         TEXT   NOT NULL,
    cron         TEXT   NOT NULL,
    zone         TEXT   NOT NULL,
    feed         TEXT   NOT NULL,
    letter       TEXT   NOT NULL,
    -- How rows are read and what its campaigns keep to, as JSON; no statement looks into it.
    policy       TEXT   NOT NULL,
    max_lateness BIGINT NOT NULL,
    -- Who answers for it as it is now.
    author       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    -- Due times up to here are seen to. It only spares looking: what keeps a due time from running twice
    -- is the key of schedule_run.
    seen_to      BIGINT NOT NULL,
    paused_at    BIGINT,
    paused_by    TEXT   NOT NULL,
    paused_for   TEXT   NOT NULL,
    -- What a feed's server said of what it last gave, so that it need not give it again.
    etag         TEXT   NOT NULL,
    modified     TEXT   NOT NULL,
    removed_at   BIGINT,
    removed_by   TEXT
);
-- One that was removed keeps its name in the history, and leaves it to the next.
CREATE UNIQUE INDEX one_schedule_of_a_name ON schedule (name) WHERE removed_at IS NULL;

-- A second person's leave for all that a schedule's runs write, within limits. Only ever added to, and ended.
CREATE TABLE standing (
    id           {PK},
    schedule_id  BIGINT NOT NULL REFERENCES schedule (id),
    given_by     TEXT   NOT NULL,
    given_at     BIGINT NOT NULL,
    reason       TEXT   NOT NULL,
    most_letters BIGINT NOT NULL,
    most_new     BIGINT NOT NULL,
    -- Digest of the templates that the second person had before them.
    templates    TEXT   NOT NULL,
    unreviewed   TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT,
    ended_for    TEXT   NOT NULL
);
CREATE UNIQUE INDEX one_standing_of_a_schedule ON standing (schedule_id) WHERE ended_at IS NULL;

-- One run of a schedule. The key is the claim: two workers, or a database that was restored, cannot run one
-- due time twice.
CREATE TABLE schedule_run (
    id          {PK},
    schedule_id BIGINT NOT NULL REFERENCES schedule (id),
    -- Empty for the feed; for a reminder, which one of which campaign.
    occasion    TEXT   NOT NULL,
    due_at      BIGINT NOT NULL,
    state       TEXT   NOT NULL CONSTRAINT known_run_state CHECK (state IN (
                    'under-way', 'waiting', 'queued', 'nothing', 'late', 'failed')),
    step        TEXT   NOT NULL CONSTRAINT known_run_step CHECK (step IN (
                    'intake', 'resolve', 'compose', 'approve', 'ended')),
    worker      TEXT   NOT NULL,
    -- Renewed while the work goes on; when it has run out, whoever comes next goes on.
    lease_until BIGINT NOT NULL,
    began_at    BIGINT NOT NULL,
    ended_at    BIGINT,
    taken_over  BIGINT NOT NULL,
    campaign_id BIGINT REFERENCES campaign (id),
    told        TEXT   NOT NULL,
    sheet       TEXT   NOT NULL,
    mail        TEXT   NOT NULL CONSTRAINT known_sheet_mail CHECK (mail IN ('none', 'due', 'sent')),
    mail_told   TEXT   NOT NULL,
    CONSTRAINT one_run_of_a_due_time UNIQUE (schedule_id, occasion, due_at)
);
-- Two at once would each take the same file of the feed. What falls due meanwhile waits for the end.
CREATE UNIQUE INDEX one_run_of_a_schedule ON schedule_run (schedule_id) WHERE ended_at IS NULL;
CREATE INDEX schedule_run_mail ON schedule_run (id) WHERE mail = 'due';
CREATE INDEX schedule_run_of_campaign ON schedule_run (campaign_id) WHERE campaign_id IS NOT NULL;

-- What a feed has given, by its bytes: the same file dropped twice is known whatever it is called.
CREATE TABLE taken_file (
    id          {PK},
    schedule_id BIGINT NOT NULL REFERENCES schedule (id),
    digest      TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    size        BIGINT NOT NULL,
    run_id      BIGINT NOT NULL REFERENCES schedule_run (id),
    taken_at    BIGINT NOT NULL,
    -- NULL: taken, and still to be moved out of the way.
    moved_at    BIGINT,
    CONSTRAINT one_taking_of_a_file UNIQUE (schedule_id, digest)
);
