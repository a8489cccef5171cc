-- What a campaign is for, and what holds for all its letters.
ALTER TABLE campaign ADD COLUMN kind TEXT NOT NULL DEFAULT 'notice'
    CONSTRAINT known_campaign_kind CHECK (kind IN ('notice', 'advisory', 'reminder'));

-- The sharing mark, or empty: campaigns of before had none.
ALTER TABLE campaign ADD COLUMN tlp TEXT NOT NULL DEFAULT ''
    CONSTRAINT known_tlp CHECK (tlp IN ('', 'CLEAR', 'GREEN', 'AMBER', 'AMBER+STRICT', 'RED'));

-- 1: a row without a time or without saying how it is known is no suspect.
ALTER TABLE campaign ADD COLUMN require_evidence BIGINT NOT NULL DEFAULT 0;

-- The campaign that a reminder reminds of.
ALTER TABLE campaign ADD COLUMN after_id BIGINT REFERENCES campaign (id);

-- 1: each country's agency is told which operators were written to.
ALTER TABLE campaign ADD COLUMN cover BIGINT NOT NULL DEFAULT 0;
