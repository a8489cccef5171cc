-- Who decided what, when and from where, and what was before and after. Each row bears the digest of itself and
-- of the one before it, so that whoever changes one has to change all that follow, and the last digest, which
-- stands written down elsewhere, shows it. The database itself refuses to change or take away a row.
CREATE TABLE audit (
    -- Without a gap: a number that is not there was taken away.
    number   BIGINT NOT NULL PRIMARY KEY,
    done_at  BIGINT NOT NULL,
    -- As they called themselves; os_user is as the machine knows them.
    done_by  TEXT   NOT NULL,
    host     TEXT   NOT NULL,
    os_user  TEXT   NOT NULL,
    -- 'command line', or the address that a request came from.
    via      TEXT   NOT NULL,
    action   TEXT   NOT NULL,
    about    TEXT   NOT NULL,
    -- JSON, 'null' where there was nothing.
    was      TEXT   NOT NULL,
    became   TEXT   NOT NULL,
    previous TEXT   NOT NULL,
    digest   TEXT   NOT NULL
);
CREATE INDEX audit_of_subject ON audit (about, number);
{ADD_ONLY audit}

-- The end of the chain: whoever adds to it holds this row until the decision is committed, so that there is one
-- chain, however many write.
CREATE TABLE audit_end (
    id       BIGINT NOT NULL PRIMARY KEY CONSTRAINT one_chain CHECK (id = 1),
    number   BIGINT NOT NULL,
    digest   TEXT   NOT NULL
);
INSERT INTO audit_end (id, number, digest)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- It came out of a backup then, and nobody has said yet that nothing of it was sent after the backup was taken:
-- nothing of it is handed out.
ALTER TABLE campaign ADD COLUMN restored_at BIGINT;

-- Since when its evidence is being thinned (it cannot be sent again from then on), and when that was done; the
-- same for what its letters say.
ALTER TABLE campaign ADD COLUMN thinning_at BIGINT;
ALTER TABLE campaign ADD COLUMN thinned_at BIGINT;
ALTER TABLE campaign ADD COLUMN letters_gone_at BIGINT;
-- The message is no longer kept; what was made of it is.
ALTER TABLE incoming ADD COLUMN gone_at BIGINT;
CREATE INDEX incoming_whole ON incoming (came_at, id) WHERE gone_at IS NULL;
