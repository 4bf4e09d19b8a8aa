-- How a card was passed on: skip, later, do-not-call; NULL where it was not.
ALTER TABLE leases ADD COLUMN passed_on TEXT;
-- The organiser who took back what a device marked; NULL where nobody did.
ALTER TABLE leases ADD COLUMN undone_by TEXT;
-- Of the line that an organiser wrote into the log when they took back the press before it.
ALTER TABLE outcomes ADD COLUMN undone_by TEXT;
UPDATE leases SET passed_on = 'do-not-call' WHERE id IN (SELECT source FROM do_not_call);

-- What was done lately, by all devices and by one: how fast they go through a list, and what is taken back.
CREATE INDEX leases_passed_on ON leases (closed_at, device_id) WHERE passed_on IS NOT NULL;
CREATE INDEX leases_by_contact ON leases (contact_id, created_at);
CREATE INDEX attempts_by_time ON attempts (dialled_at, device_id);
CREATE INDEX outcomes_by_time ON outcomes (received_at, device_id);
CREATE INDEX outcomes_by_attempt ON outcomes (attempt_id, received_at);

-- R12: numbers that asked never to be rung again, by anyone here; a row for each time that somebody said so, so
-- that taking one back leaves the others. The source is an attempt, or the lease of a card that was not dialled.
CREATE TABLE asked_not_to_be_rung (
    number     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    source     TEXT NOT NULL,
    PRIMARY KEY (number, source)
) STRICT;
INSERT INTO asked_not_to_be_rung (number, created_at, source) SELECT number, created_at, source FROM do_not_call;
DROP TABLE do_not_call;
ALTER TABLE asked_not_to_be_rung RENAME TO do_not_call;
