using System.Reflection;
using System.Text.Json.Serialization;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using Dapper;

namespace CrawlData.Tests.Schema;

/// <summary>Compares the migrated catalog with the schema's contract, which is written here and not read from the scripts.</summary>
public sealed class SchemaContractTests : DatabaseTest
{
    private const string UtcNow = "(now() AT TIME ZONE 'utc'::text)";

    private static readonly Dictionary<string, string[]> Columns = new()
    {
        ["crawl_runs"] =
        [
            "id uuid not null default gen_random_uuid()",
            "status crawl_status not null default 'PENDING'::crawl_status",
            "app_package character varying(255) not null",
            "device_config jsonb",
            "max_steps integer not null default 100",
            "goal text",
            $"created_at timestamp without time zone not null default {UtcNow}",
            "started_at timestamp without time zone",
            "completed_at timestamp without time zone",
            "cancelled_at timestamp without time zone",
            "error_message text",
        ],
        ["crawl_events"] =
        [
            "id bigint not null default nextval('crawl_events_id_seq'::regclass)",
            "crawl_id uuid not null",
            "event_type character varying(50) not null",
            "payload jsonb not null",
            $"created_at timestamp without time zone not null default {UtcNow}",
        ],
        ["audit_sessions"] =
        [
            "id uuid not null default gen_random_uuid()",
            "url text not null",
            "status audit_session_status_enum not null",
            "created_at timestamp with time zone not null default now()",
            "final_url text",
            "mode audit_mode_enum not null",
            "retention_policy retention_policy_enum not null",
            "attempts integer not null default 0",
            "error_summary text",
            "crawl_policy_version text not null",
            "config_snapshot jsonb not null",
            "low_confidence boolean not null default false",
            "pdp_url text",
        ],
        ["audit_pages"] =
        [
            "id uuid not null default gen_random_uuid()",
            "session_id uuid not null",
            "page_type page_type_enum not null",
            "viewport viewport_enum not null",
            "status page_status_enum not null",
            "load_timings jsonb not null",
            "low_confidence_reasons jsonb not null",
        ],
        ["artifacts"] =
        [
            "id uuid not null default gen_random_uuid()",
            "session_id uuid not null",
            "page_id uuid not null",
            "type artifact_type_enum not null",
            "storage_uri text not null",
            "size_bytes bigint not null",
            "created_at timestamp with time zone not null default now()",
            "retention_until timestamp with time zone",
            "deleted_at timestamp with time zone",
            "checksum text",
        ],
        ["crawl_logs"] =
        [
            "id bigint not null default nextval('crawl_logs_id_seq'::regclass)",
            "session_id uuid not null",
            "level log_level_enum not null",
            "event_type event_type_enum not null",
            "message text not null",
            "details jsonb not null",
            "\"timestamp\" timestamp with time zone not null default now()",
        ],
    };

    private static readonly string[] Enums =
    [
        "artifact_type_enum: screenshot, visible_text, features_json, html_gz",
        "audit_mode_enum: standard, debug, evidence_pack",
        "audit_session_status_enum: queued, running, completed, failed, partial",
        "crawl_status: PENDING, RUNNING, COMPLETED, FAILED, CANCELLED",
        "event_type_enum: navigation, popup, retry, timeout, error, artifact",
        "log_level_enum: info, warn, error",
        "page_status_enum: ok, failed, pending",
        "page_type_enum: homepage, pdp",
        "retention_policy_enum: standard, short, long",
        "viewport_enum: desktop, mobile",
    ];

    private static readonly string[] Constraints =
    [
        "artifacts FOREIGN KEY (page_id) REFERENCES audit_pages(id) ON DELETE CASCADE",
        "artifacts FOREIGN KEY (session_id) REFERENCES audit_sessions(id) ON DELETE CASCADE",
        "artifacts PRIMARY KEY (id)",
        "audit_pages FOREIGN KEY (session_id) REFERENCES audit_sessions(id) ON DELETE CASCADE",
        "audit_pages PRIMARY KEY (id)",
        "audit_session_claims FOREIGN KEY (session_id) REFERENCES audit_sessions(id) ON DELETE CASCADE",
        "audit_session_claims PRIMARY KEY (session_id)",
        "audit_sessions PRIMARY KEY (id)",
        "crawl_events FOREIGN KEY (crawl_id) REFERENCES crawl_runs(id) ON DELETE CASCADE",
        "crawl_events PRIMARY KEY (id)",
        "crawl_logs FOREIGN KEY (session_id) REFERENCES audit_sessions(id) ON DELETE CASCADE",
        "crawl_event_marks PRIMARY KEY (marked_at)",
        "crawl_log_marks PRIMARY KEY (marked_at)",
        "crawl_logs PRIMARY KEY (id)",
        "crawl_run_claims FOREIGN KEY (run_id) REFERENCES crawl_runs(id) ON DELETE CASCADE",
        "crawl_run_claims PRIMARY KEY (run_id)",
        "crawl_run_retries FOREIGN KEY (run_id) REFERENCES crawl_runs(id) ON DELETE CASCADE",
        "crawl_run_retries PRIMARY KEY (run_id)",
        "crawl_run_retries UNIQUE (retry_of)",
        "crawl_runs PRIMARY KEY (id)",
    ];

    private static readonly string[] Indexes =
    [
        "CREATE INDEX idx_crawl_events_crawl_id ON crawl_events USING btree (crawl_id, id)",
        "CREATE INDEX idx_crawl_runs_created_at ON crawl_runs USING btree (created_at DESC)",
        "CREATE INDEX ix_artifacts_session_type ON artifacts USING btree (session_id, type)",
        "CREATE INDEX ix_audit_pages_session_page_viewport ON audit_pages USING btree (session_id, page_type, viewport)",
        "CREATE INDEX ix_audit_sessions_crawl_policy_version ON audit_sessions USING btree (crawl_policy_version)",
        "CREATE INDEX ix_audit_sessions_status_created_at ON audit_sessions USING btree (status, created_at)",
        "CREATE INDEX ix_crawl_logs_session_timestamp ON crawl_logs USING btree (session_id, \"timestamp\")",
    ];

    [Test]
    public async Task The_tables_are_those_of_the_contract_the_journal_and_the_helper_tables() =>
        Assert.That(
            await QueryAsync("select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"),
            Is.EquivalentTo((string[])
            [
                .. Columns.Keys, "crawldata_journal", "crawl_log_marks", "crawl_event_marks", "crawl_run_claims", "crawl_run_retries",
                "audit_session_claims",
            ]));

    [TestCaseSource(nameof(Columns))]
    public async Task Columns_are_in_the_contract_s_order_with_its_types_and_defaults(KeyValuePair<string, string[]> table) =>
        Assert.That(
            await QueryAsync(
                """
                select quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end
                    || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
                from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
                where attrelid = @table::regclass and attnum > 0 and not attisdropped order by attnum
                """,
                new { table = table.Key }),
            Is.EqualTo(table.Value));

    [Test]
    public async Task Enums_have_the_contract_s_labels_in_its_order() =>
        Assert.That(
            await QueryAsync(
                """
                select typname || ': ' || string_agg(enumlabel, ', ' order by enumsortorder)
                from pg_enum join pg_type on pg_type.oid = enumtypid
                group by typname
                """),
            Is.EquivalentTo(Enums));

    [Test]
    public async Task Keys_have_the_contract_s_columns_and_delete_rules() =>
        Assert.That(
            await QueryAsync(
                """
                select conrelid::regclass || ' ' || pg_get_constraintdef(oid, true) from pg_constraint
                where connamespace = 'public'::regnamespace and contype <> 'n' and conrelid <> 'crawldata_journal'::regclass
                """),
            Is.EquivalentTo(Constraints));

    /// <summary>Later scripts may add indexes.</summary>
    [Test]
    public async Task Indexes_have_the_contract_s_names_and_columns() =>
        Assert.That(await QueryAsync("select pg_get_indexdef(indexrelid, 0, true) from pg_index where not indisprimary"), Is.SupersetOf(Indexes));

    /// <summary>Without an index, deleting a parent row scans the whole child table.</summary>
    [Test]
    public async Task Every_foreign_key_has_an_index_that_begins_with_its_columns() =>
        Assert.That(
            await QueryAsync(
                """
                select conrelid::regclass || ' ' || conname from pg_constraint
                where contype = 'f' and connamespace = 'public'::regnamespace and not exists (
                    select from pg_index
                    where indrelid = conrelid and indpred is null and indisvalid
                      and (indkey::smallint[])[0:cardinality(conkey) - 1] @> conkey and (indkey::smallint[])[0:cardinality(conkey) - 1] <@ conkey)
                """),
            Is.Empty);

    /// <summary>The labels of an enum's members equal those of its PostgreSQL type, in order.</summary>
    [Test]
    public async Task Enums_of_the_library_have_the_catalog_s_labels() =>
        Assert.That(
            typeof(CrawlStatus).Assembly.GetTypes()
                .Where(type => type.IsEnum && type != typeof(CrawlDifferenceKind) && type != typeof(FindingSeverity))
                .Where(type => type.GetFields().Any(field => field.IsDefined(typeof(JsonStringEnumMemberNameAttribute), false)))
                .Select(
                    type =>
                        string.Join(
                            ", ", Enum.GetNames(type).Select(name => type.GetField(name)!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name))),
            Is.EquivalentTo(await QueryAsync("select string_agg(enumlabel, ', ' order by enumsortorder) from pg_enum group by enumtypid")));

    private async Task<List<string>> QueryAsync(string sql, object? parameters = null)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        return (await connection.QueryAsync<string>(sql, parameters)).AsList();
    }
}
