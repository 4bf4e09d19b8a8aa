-- Callbacks are claimed before all others.
CREATE INDEX contacts_callbacks ON contacts (campaign_id, due_at)
    WHERE last_outcome = 'callback' AND state = 'open';
