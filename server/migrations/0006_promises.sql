-- When the callee asked to be rung, until an attempt after that is closed: R16 does not bind that call.
ALTER TABLE contacts ADD COLUMN promised_at INTEGER;
UPDATE contacts
SET promised_at = (SELECT a.again_at FROM attempts a
                   WHERE a.contact_id = contacts.id AND a.outcome = 'callback'
                   ORDER BY a.dialled_at DESC LIMIT 1)
WHERE last_outcome = 'callback' AND state = 'open';
