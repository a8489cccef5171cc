-- What leases without a result weigh was counted by ones, and a begun attempt now weighs ten.
UPDATE delivery SET lapses = lapses * 10 WHERE lapses > 0;

-- Workers that say by themselves that they live, so that others notice when they no longer do. No time
-- stands here, for no two machines' clocks agree: who watches measures by its own.
CREATE TABLE worker (
    name  TEXT   NOT NULL PRIMARY KEY,
    beats BIGINT NOT NULL
);
