-- The campaign whose next round this is: to whom else those networks answer that its letters did not reach.
ALTER TABLE campaign ADD COLUMN round_of BIGINT REFERENCES campaign (id);
CREATE INDEX campaign_of_round ON campaign (round_of) WHERE round_of IS NOT NULL;
