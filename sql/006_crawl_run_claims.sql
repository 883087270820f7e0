-- What a queue of runs needs beside crawl_runs, whose columns stay as they are.

-- The number of a claim is its fencing token. It rises with each claim and each release, so a worker with an older number is refused. Only a transaction that
-- has locked the run's row changes it. The row stays when the run has ended. Events are signs of life, too: heartbeats are for runs that write none.
create table crawl_run_claims (
    run_id       uuid        primary key references crawl_runs (id) on delete cascade,
    claim        integer     not null,
    heartbeat_at timestamptz not null
);

-- Which run retries which. A retry outlives the run that it retries, so retry_of is no foreign key. It is unique: a run is retried once, and then its retry is.
-- The number of attempts is stored, because a purge may delete the earlier runs. Claims pass over a run before the time in not_before.
create table crawl_run_retries (
    run_id     uuid        primary key references crawl_runs (id) on delete cascade,
    retry_of   uuid        not null unique,
    attempt    integer     not null,
    not_before timestamptz
);

-- Which event was the newest at which time of the server's clock, as crawl_log_marks has it for log lines: the callers set the events' times.
create table crawl_event_marks (
    marked_at timestamptz primary key,
    event_id  bigint      not null
);
