-- What stood at an attempt before a press changed it, so that the press can be taken back; NULL: nothing.
ALTER TABLE outcomes ADD COLUMN before_outcome TEXT;
ALTER TABLE outcomes ADD COLUMN before_note TEXT;
ALTER TABLE outcomes ADD COLUMN before_again_at INTEGER;

-- Its volunteer gave the call up before an answer, and sooner than any call may end.
ALTER TABLE attempts ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0;
UPDATE attempts SET given_up = 1
WHERE state = 'closed' AND answered_at IS NULL AND ended_by = 'volunteer'
  AND (ringing_at IS NULL OR ended_at - ringing_at < 15000);
-- The organiser who took the call out of its contact's attempts; NULL where nobody did.
ALTER TABLE attempts ADD COLUMN undone_by TEXT;
CREATE INDEX attempts_by_end ON attempts (closed_at, device_id);
