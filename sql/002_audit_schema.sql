-- Audits: a website's pages, seen per viewport. Metadata and URIs only, never a blob.

create type audit_session_status_enum as enum ('queued', 'running', 'completed', 'failed', 'partial');
create type audit_mode_enum as enum ('standard', 'debug', 'evidence_pack');
create type retention_policy_enum as enum ('standard', 'short', 'long');
create type page_type_enum as enum ('homepage', 'pdp');
create type viewport_enum as enum ('desktop', 'mobile');
create type page_status_enum as enum ('ok', 'failed', 'pending');
create type artifact_type_enum as enum ('screenshot', 'visible_text', 'features_json', 'html_gz');
create type log_level_enum as enum ('info', 'warn', 'error');
create type event_type_enum as enum ('navigation', 'popup', 'retry', 'timeout', 'error', 'artifact');

create table audit_sessions (
    id                   uuid                      primary key default gen_random_uuid(),
    url                  text                      not null,
    status               audit_session_status_enum not null,
    created_at           timestamptz               not null default now(),
    final_url            text,
    mode                 audit_mode_enum           not null,
    retention_policy     retention_policy_enum     not null,
    attempts             integer                   not null default 0,
    error_summary        text,
    crawl_policy_version text                      not null,
    config_snapshot      jsonb                     not null,
    low_confidence       boolean                   not null default false,
    pdp_url              text
);

create index ix_audit_sessions_status_created_at on audit_sessions (status, created_at);
create index ix_audit_sessions_crawl_policy_version on audit_sessions (crawl_policy_version);

create table audit_pages (
    id                     uuid             primary key default gen_random_uuid(),
    session_id             uuid             not null references audit_sessions (id) on delete cascade,
    page_type              page_type_enum   not null,
    viewport               viewport_enum    not null,
    status                 page_status_enum not null,
    load_timings           jsonb            not null,
    low_confidence_reasons jsonb            not null
);

create index ix_audit_pages_session_page_viewport on audit_pages (session_id, page_type, viewport);

create table artifacts (
    id              uuid               primary key default gen_random_uuid(),
    session_id      uuid               not null references audit_sessions (id) on delete cascade,
    page_id         uuid               not null references audit_pages (id) on delete cascade,
    type            artifact_type_enum not null,
    storage_uri     text               not null,
    size_bytes      bigint             not null,
    created_at      timestamptz        not null default now(),
    retention_until timestamptz,
    deleted_at      timestamptz,
    checksum        text
);

create index ix_artifacts_session_type on artifacts (session_id, type);

create table crawl_logs (
    id         bigserial       primary key,
    session_id uuid            not null references audit_sessions (id) on delete cascade,
    level      log_level_enum  not null,
    event_type event_type_enum not null,
    message    text            not null,
    details    jsonb           not null,
    timestamp  timestamptz     not null default now()
);

create index ix_crawl_logs_session_timestamp on crawl_logs (session_id, timestamp);
