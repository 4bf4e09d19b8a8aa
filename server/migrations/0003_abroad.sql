-- Whether the campaign rings numbers of other countries. Those from before do not.
ALTER TABLE campaigns ADD COLUMN abroad INTEGER NOT NULL DEFAULT 0;
