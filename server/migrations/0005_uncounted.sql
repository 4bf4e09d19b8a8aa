-- A call that went no further than the trunk rang nobody: it is kept, and is none of its contact's attempts.
ALTER TABLE attempts ADD COLUMN counts INTEGER NOT NULL DEFAULT 1;
-- The status of the SIP answer that ended the call, where Asterisk told it.
ALTER TABLE attempts ADD COLUMN sip INTEGER;
