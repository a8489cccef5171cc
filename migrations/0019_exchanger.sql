-- The hosts that take the mail of a domain, as its MX said. Sending asks no DNS: resolving does, and leaves
-- the answers here for the paces that know a provider by its hosts.
CREATE TABLE exchanger (
    domain  TEXT   NOT NULL PRIMARY KEY,
    -- Apart by spaces, none where the domain names none.
    hosts   TEXT   NOT NULL,
    told_at BIGINT NOT NULL
);
