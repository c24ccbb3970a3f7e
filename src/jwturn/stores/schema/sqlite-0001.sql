-- Times are whole microseconds since 1970-01-01T00:00Z, durations whole microseconds.

CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    identity BLOB NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE seen (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    total_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL
) STRICT;

CREATE TABLE issuers (
    issuer TEXT PRIMARY KEY,
    served INTEGER NOT NULL CHECK (served IN (0, 1)),
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- `doc` is the ring, `mac` authenticates it; the other columns are its index, compared with it at every load.
CREATE TABLE rings (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    issuer TEXT NOT NULL REFERENCES issuers,
    epoch INTEGER NOT NULL,
    doc BLOB NOT NULL,
    mac BLOB NOT NULL,
    due_us INTEGER
) STRICT;
CREATE INDEX rings_by_due ON rings (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX rings_by_issuer ON rings (issuer, name);

CREATE TABLE halves (
    ring_id TEXT NOT NULL REFERENCES rings,
    kid TEXT NOT NULL,
    envelope BLOB NOT NULL,
    PRIMARY KEY (ring_id, kid)
) STRICT, WITHOUT ROWID;

-- Every kid an issuer ever had: nothing is deleted here.
CREATE TABLE kids (
    issuer TEXT NOT NULL REFERENCES issuers,
    kid TEXT NOT NULL,
    ring_id TEXT NOT NULL REFERENCES rings,
    PRIMARY KEY (issuer, kid)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    ring_id TEXT NOT NULL REFERENCES rings,
    node TEXT NOT NULL,
    kid TEXT NOT NULL,
    number INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    PRIMARY KEY (ring_id, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_node ON leases (node);

CREATE TABLE marks (
    ring_id TEXT NOT NULL REFERENCES rings,
    kid TEXT NOT NULL,
    node TEXT NOT NULL,
    exp_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (ring_id, kid, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE counts (
    ring_id TEXT NOT NULL REFERENCES rings,
    kid TEXT NOT NULL,
    minute INTEGER NOT NULL,
    issued INTEGER NOT NULL,
    PRIMARY KEY (ring_id, kid, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX counts_by_minute ON counts (minute);

CREATE TABLE events (
    chain TEXT NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (chain, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE listed (
    chain TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    name TEXT PRIMARY KEY,
    doc BLOB NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
