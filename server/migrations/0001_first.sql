-- Times are UTC epoch milliseconds; ids are UUIDv7 text; states are the words of the code.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE campaigns (
    id               TEXT PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    organisation     TEXT NOT NULL,
    organiser        TEXT NOT NULL,
    mode             TEXT NOT NULL,
    caller_id        TEXT NOT NULL,
    country          TEXT NOT NULL,
    time_zone        TEXT NOT NULL,
    script           TEXT NOT NULL,
    -- 'rules' (R15) or 'always'; 'always' and a spacing of 0 only towards a simulated trunk
    hours            TEXT NOT NULL DEFAULT 'rules',
    spacing_ms       INTEGER NOT NULL,
    attempts_allowed INTEGER NOT NULL,
    ring_timeout_ms  INTEGER NOT NULL DEFAULT 25000,
    paused_at        INTEGER,
    paused_by        TEXT,
    pause_message    TEXT,
    created_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE people (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE TABLE devices (
    id          TEXT PRIMARY KEY,
    person_id   TEXT NOT NULL REFERENCES people (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    public_key  BLOB NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE join_links (
    token_hash  BLOB PRIMARY KEY,
    person_id   TEXT NOT NULL REFERENCES people (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    spent_at    INTEGER,
    device_id   TEXT REFERENCES devices (id)
) STRICT;

CREATE TABLE sign_ins (
    token_hash BLOB PRIMARY KEY,
    device_id  TEXT NOT NULL REFERENCES devices (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT;
CREATE INDEX sign_ins_by_device ON sign_ins (device_id);

CREATE TABLE imports (
    id          TEXT PRIMARY KEY,
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    source      TEXT NOT NULL,
    kept        INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE contacts (
    id              TEXT PRIMARY KEY,
    campaign_id     TEXT NOT NULL REFERENCES campaigns (id),
    import_id       TEXT NOT NULL REFERENCES imports (id),
    number          TEXT NOT NULL,
    name            TEXT NOT NULL,
    form_of_address TEXT NOT NULL,
    flag            TEXT,
    context         TEXT NOT NULL,
    reference       TEXT,
    -- open: may be rung at due_at or later; done: never again on this list
    state           TEXT NOT NULL DEFAULT 'open',
    due_at          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    last_outcome    TEXT,
    created_at      INTEGER NOT NULL,
    UNIQUE (campaign_id, number)
) STRICT;
CREATE INDEX contacts_due ON contacts (campaign_id, state, due_at);
CREATE INDEX contacts_by_number ON contacts (number);

-- R12: numbers that asked never to be rung again, by anyone here.
CREATE TABLE do_not_call (
    number     TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    source     TEXT NOT NULL
) STRICT;

CREATE TABLE leases (
    id         TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL REFERENCES contacts (id),
    device_id  TEXT NOT NULL REFERENCES devices (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- held -> dialled -> closed, or held -> settled | expired
    state      TEXT NOT NULL,
    closed_at  INTEGER
) STRICT;
-- The database itself refuses two volunteers with one contact, and two contacts for one volunteer.
CREATE UNIQUE INDEX leases_one_per_contact ON leases (contact_id) WHERE state IN ('held', 'dialled');
CREATE UNIQUE INDEX leases_one_per_device ON leases (device_id) WHERE state IN ('held', 'dialled');

-- A skipped contact is not offered to the same volunteer again the same day.
CREATE TABLE skips (
    contact_id TEXT NOT NULL REFERENCES contacts (id),
    device_id  TEXT NOT NULL REFERENCES devices (id),
    until      INTEGER NOT NULL,
    PRIMARY KEY (contact_id, device_id)
) STRICT;

-- Written before the channel is made; the id is the channel's id.
CREATE TABLE attempts (
    id          TEXT PRIMARY KEY,
    lease_id    TEXT NOT NULL UNIQUE REFERENCES leases (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    contact_id  TEXT NOT NULL REFERENCES contacts (id),
    device_id   TEXT NOT NULL REFERENCES devices (id),
    number      TEXT NOT NULL,
    caller_id   TEXT NOT NULL,
    -- dialling, ringing, talking, wrap-up, closed
    state       TEXT NOT NULL,
    dialled_at  INTEGER NOT NULL,
    ringing_at  INTEGER,
    answered_at INTEGER,
    ended_at    INTEGER,
    ended_by    TEXT,
    cause       INTEGER,
    outcome     TEXT,
    outcome_id  TEXT,
    written_by  TEXT,
    note        TEXT,
    again_at    INTEGER,
    closed_at   INTEGER
) STRICT;
CREATE INDEX attempts_by_number ON attempts (number, dialled_at);
CREATE INDEX attempts_by_contact ON attempts (contact_id, dialled_at);
CREATE INDEX attempts_open ON attempts (state) WHERE state <> 'closed';

-- Every delivery of an outcome, once: what makes "at least once" into "applied once".
CREATE TABLE outcomes (
    id          TEXT PRIMARY KEY,
    attempt_id  TEXT NOT NULL REFERENCES attempts (id),
    device_id   TEXT NOT NULL REFERENCES devices (id),
    outcome     TEXT NOT NULL,
    note        TEXT,
    received_at INTEGER NOT NULL
) STRICT;
