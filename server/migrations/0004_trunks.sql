-- What an organiser says of the provider behind a PJSIP endpoint. The server makes the row of its own `--trunk`.
CREATE TABLE trunks (
    name             TEXT PRIMARY KEY,
    -- 'e164', 'e164-no-plus' or 'national'
    number_form      TEXT NOT NULL,
    prefix           TEXT NOT NULL,
    caller_id_form   TEXT NOT NULL,
    -- whose national form: 'GB'
    country          TEXT NOT NULL,
    -- NULL: no limit
    channels         INTEGER,
    calls_per_second INTEGER,
    created_at       INTEGER NOT NULL
) STRICT;
