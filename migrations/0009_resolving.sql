-- Who resolves a campaign at present: two at once would take back each other's findings. The lease is
-- renewed while the work goes on; when it has run out, whoever comes next takes over.
CREATE TABLE resolving (
    campaign_id BIGINT NOT NULL PRIMARY KEY REFERENCES campaign (id),
    worker      TEXT   NOT NULL,
    begun_by    TEXT   NOT NULL,
    began_at    BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
);
