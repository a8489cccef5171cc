-- The fingerprint of the OpenPGP key that must sign the letter, as the letter shows it; empty: none. It
-- is frozen with the letter: what was approved as signed never leaves unsigned, whatever the settings
-- say by then.
ALTER TABLE letter ADD COLUMN signed_by TEXT NOT NULL DEFAULT '';

-- Asked before each run of sending, and not by reading all letters.
CREATE INDEX letter_by_signer ON letter (campaign_id, signed_by);
