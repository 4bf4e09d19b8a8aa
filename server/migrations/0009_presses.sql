-- A press is known by its attempt and its id: apps make the ids, and one id for several calls left one line of the log.
CREATE TABLE presses (
    id              TEXT NOT NULL,
    attempt_id      TEXT NOT NULL REFERENCES attempts (id),
    device_id       TEXT NOT NULL REFERENCES devices (id),
    outcome         TEXT NOT NULL,
    note            TEXT,
    received_at     INTEGER NOT NULL,
    -- The organiser who wrote this line when they took back the press before it.
    undone_by       TEXT,
    -- What stood at the attempt before; NULL: nothing.
    before_outcome  TEXT,
    before_note     TEXT,
    before_again_at INTEGER,
    PRIMARY KEY (attempt_id, id)
) STRICT;
INSERT INTO presses (id, attempt_id, device_id, outcome, note, received_at, undone_by,
                     before_outcome, before_note, before_again_at)
SELECT id, attempt_id, device_id, outcome, note, received_at, undone_by,
       before_outcome, before_note, before_again_at
FROM outcomes ORDER BY rowid;
DROP TABLE outcomes;
ALTER TABLE presses RENAME TO outcomes;
CREATE INDEX outcomes_by_time ON outcomes (received_at, device_id);
CREATE INDEX outcomes_by_attempt ON outcomes (attempt_id, received_at);
-- Whether a device rang somebody since, for a correction.
CREATE INDEX attempts_by_device ON attempts (device_id, dialled_at);
