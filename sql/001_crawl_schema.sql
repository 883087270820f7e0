-- Crawls: an app under exploration, step by step. A run and its stream of events.

create type crawl_status as enum ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED');

-- The timestamps are without time zone and hold UTC, whatever the session's time zone.
create table crawl_runs (
    id            uuid          primary key default gen_random_uuid(),
    status        crawl_status  not null default 'PENDING',
    app_package   varchar(255)  not null,
    device_config jsonb,
    max_steps     integer       not null default 100,
    goal          text,
    created_at    timestamp     not null default (now() at time zone 'utc'),
    started_at    timestamp,
    completed_at  timestamp,
    cancelled_at  timestamp,
    error_message text
);

-- For listing recent crawls.
create index idx_crawl_runs_created_at on crawl_runs (created_at desc);

create table crawl_events (
    id         bigserial   primary key,
    crawl_id   uuid        not null references crawl_runs (id) on delete cascade,
    event_type varchar(50) not null,
    payload    jsonb       not null,
    created_at timestamp   not null default (now() at time zone 'utc')
);

-- For streaming a crawl's events in order.
create index idx_crawl_events_crawl_id on crawl_events (crawl_id, id);
