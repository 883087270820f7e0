-- What the queue of sessions keeps beside the sessions: the last heartbeat of a worker whose attempt writes no log lines, until when a retry waits, and how many
-- attempts were handed back. These do not count against the most attempts of a session. Heartbeats change the same rows often, so pages have room for them.
create table audit_session_claims (
    session_id uuid primary key references audit_sessions (id) on delete cascade,
    heartbeat_at timestamptz,
    not_before timestamptz,
    released integer not null default 0
) with (fillfactor = 70);
