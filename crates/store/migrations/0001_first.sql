-- Times are microseconds since 1970, UTC. Ids are the sixteen bytes of a UUIDv7.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Numbers that only grow, so that a reader can ask "what changed since?" without trusting clocks.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('tokens', 0), ('revocations', 0);

CREATE TABLE tokens (
    id         BLOB PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    identity   TEXT NOT NULL,
    targets    TEXT,
    issued_by  TEXT NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    revoked    INTEGER,
    revoked_by TEXT,
    revocation INTEGER,
    CHECK (length(id) = 16 AND length(hash) = 32 AND length(stored_key) = 32 AND length(server_key) = 32)
) STRICT;
CREATE INDEX tokens_expires ON tokens (expires);
CREATE INDEX tokens_revocation ON tokens (revocation) WHERE revocation IS NOT NULL;

CREATE TABLE approvals (
    id       BLOB PRIMARY KEY,
    digest   BLOB NOT NULL,
    session  BLOB NOT NULL,
    number   INTEGER NOT NULL,
    identity TEXT NOT NULL,
    target   TEXT NOT NULL,
    role     TEXT NOT NULL,
    text     TEXT NOT NULL,
    bound    TEXT NOT NULL,
    actions  TEXT NOT NULL,
    reasons  TEXT NOT NULL,
    rules    TEXT NOT NULL,
    policy   TEXT NOT NULL,
    terms    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    state    TEXT NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'cancelled', 'used')),
    CHECK (length(id) = 16 AND length(digest) = 32 AND length(session) = 16)
) STRICT;
CREATE INDEX approvals_digest ON approvals (digest) WHERE state = 'approved';
CREATE INDEX approvals_created ON approvals (created);
CREATE INDEX approvals_pending ON approvals (created) WHERE state = 'pending';

-- The key makes one answer per person: the first one counts.
CREATE TABLE answers (
    approval BLOB NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
    person   TEXT NOT NULL,
    approve  INTEGER NOT NULL CHECK (approve IN (0, 1)),
    reason   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (approval, person)
) STRICT;

-- Every row commits to the one before it; the last one's hash is kept in meta as well, so that a removed tail shows.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash   BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
