using System.Reflection;
using System.Text.RegularExpressions;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>The library's statements, found by their names: constants that end in <c>Sql</c>.</summary>
public static partial class SqlConstants
{
    /// <summary>The type that each parameter is sent with, where <see cref="TypesOfStatements"/> has no other.</summary>
    private static readonly Dictionary<string, string> TypeNames = new()
    {
        ["abandon_artifacts"] = "boolean",
        ["after_id"] = "bigint",
        ["after_ids"] = "bigint[]",
        ["after_time"] = "timestamp with time zone",
        ["after_key"] = "uuid",
        ["age"] = "interval",
        ["app_package"] = "text",
        ["app_packages"] = "text[]",
        ["attempt"] = "integer",
        ["attempts"] = "integer[]",
        ["before_id"] = "bigint",
        ["before_key"] = "uuid",
        ["before_time"] = "timestamp with time zone",
        ["cancelled_times"] = "timestamp with time zone[]",
        ["checksums"] = "text[]",
        ["completed_times"] = "timestamp with time zone[]",
        ["checks"] = "boolean[]",
        ["claim"] = "integer",
        ["claims"] = "integer[]",
        ["config_snapshots"] = "text[]",
        ["crawl_id"] = "uuid",
        ["crawl_ids"] = "uuid[]",
        ["crawl_policy_version"] = "text",
        ["crawl_policy_versions"] = "text[]",
        ["created_before"] = "timestamp without time zone",
        ["created_from"] = "timestamp without time zone",
        ["created_times"] = "timestamp with time zone[]",
        ["cutoff"] = "timestamp with time zone",
        ["delay"] = "interval",
        ["drawn_id"] = "bigint",
        ["deleted_ats"] = "timestamp with time zone[]",
        ["device_configs"] = "text[]",
        ["error_message"] = "text",
        ["error_messages"] = "text[]",
        ["error_summaries"] = "text[]",
        ["error_summary"] = "text",
        ["event_types"] = "text[]",
        ["final_url"] = "text",
        ["final_urls"] = "text[]",
        ["first_id"] = "uuid",
        ["from"] = "text[]",
        ["from_key"] = "uuid",
        ["goals"] = "text[]",
        ["id"] = "uuid",
        ["ids"] = "uuid[]",
        ["include_deleted"] = "boolean",
        ["is_waiting"] = "boolean",
        ["keep_forevers"] = "boolean[]",
        ["key"] = "text",
        ["last_id"] = "uuid",
        ["levels"] = "text[]",
        ["like_table"] = "text",
        ["limit"] = "integer",
        ["load_timings"] = "jsonb",
        ["long"] = "interval",
        ["low_confidence"] = "boolean",
        ["low_confidence_reasons"] = "jsonb",
        ["low_confidences"] = "boolean[]",
        ["mark"] = "bigint",
        ["max_attempts"] = "integer",
        ["max_steps"] = "integer[]",
        ["modes"] = "text[]",
        ["newer_id"] = "uuid",
        ["notify"] = "boolean",
        ["older_id"] = "uuid",
        ["page_id"] = "uuid",
        ["page_ids"] = "uuid[]",
        ["page_load_timings"] = "text[]",
        ["page_low_confidence_reasons"] = "text[]",
        ["page_types"] = "text[]",
        ["parent_id"] = "uuid",
        ["parent_ids"] = "uuid[]",
        ["payload_text"] = "text",
        ["pdp_url"] = "text",
        ["pdp_urls"] = "text[]",
        ["properties"] = "text[]",
        ["released"] = "integer",
        ["retention_policies"] = "text[]",
        ["retention_untils"] = "timestamp with time zone[]",
        ["retry_id"] = "uuid",
        ["row_id"] = "bigint",
        ["script_hash"] = "text",
        ["script_name"] = "text",
        ["session_id"] = "uuid",
        ["session_ids"] = "uuid[]",
        ["short"] = "interval",
        ["silent_for"] = "interval",
        ["sizes_bytes"] = "bigint[]",
        ["standard"] = "interval",
        ["started_times"] = "timestamp with time zone[]",
        ["status"] = "text",
        ["statuses"] = "text[]",
        ["storage_uris"] = "text[]",
        ["timestamp_before"] = "timestamp with time zone",
        ["timestamp_from"] = "timestamp with time zone",
        ["to"] = "text",
        ["transaction_id"] = "xid8",
        ["transaction_start"] = "timestamp with time zone",
        ["types"] = "text[]",
        ["up_to_id"] = "bigint",
        ["wal_position"] = "pg_lsn",
        ["server_start"] = "timestamp with time zone",
        ["backend_id"] = "integer",
        ["backend_ids"] = "integer[]",
        ["table"] = "text",
        ["urls"] = "text[]",
        ["viewports"] = "text[]",
        ["within"] = "interval",
    };

    /// <summary>The types of parameters that other statements send with another type.</summary>
    private static readonly Dictionary<(string Statement, string Parameter), string> TypesOfStatements = new()
    {
        [("CrawlEventStatements.ReadSql", "limit")] = "bigint",
        [("CrawlEventRepository.ReadNewestSql", "limit")] = "bigint",
        [("CrawlEventRepository.SummarizeSql", "limit")] = "bigint",
        [("CrawlRunRepository.FindIdsSql", "limit")] = "bigint",
        [("AuditSessionRepository.FindIdsSql", "limit")] = "bigint",
        [("CrawlEventReader.ReadAllSql", "limit")] = "bigint",
        [("CrawlEventReader.ReadUpToSql", "limit")] = "bigint",
        [("CrawlLogFollower.ReadUpToSql", "limit")] = "bigint",
        [("CrawlEventReader.FollowSql", "limit")] = "bigint",
        [("CrawlEventReader.FollowByCrawlSql", "limit")] = "bigint",
        [("CrawlEventStatements.ReadByCrawlSql", "limit")] = "bigint",
        [("CrawlEventRepository.ReadNewestByCrawlSql", "limit")] = "bigint",
        [("CrawlEventReader.FollowCheckedSql", "limit")] = "bigint",
        [("CrawlLogStatements.ReadSql", "limit")] = "bigint",
        [("CrawlLogFollower.FollowSql", "limit")] = "bigint",
        [("CrawlLogRepository.ReadNewestSql", "limit")] = "bigint",
        [("ArtifactRepository.ListExpiringSql", "limit")] = "bigint",
        [("CrawlRunRepository.ListNewestSql", "limit")] = "bigint",
        [("CrawlRunRepository.ListNewestByStatusSql", "limit")] = "bigint",
        [("CrawlRunRepository.ListOldestByStatusSql", "limit")] = "bigint",
        [("CrawlRunRepository.ListOldestSql", "limit")] = "bigint",
        [("AuditSessionRepository.ListNewestSql", "limit")] = "bigint",
        [("AuditSessionRepository.ListOldestSql", "limit")] = "bigint",
    };

    /// <summary>The types of the statements whose parameters have positions instead of names.</summary>
    private static readonly Dictionary<string, string[]> TypesByPosition = new()
    {
        ["CrawlEventStatements.InsertOneSql"] = ["uuid", "character varying", "jsonb", "timestamp without time zone"],
        ["CrawlEventStatements.InsertOneAvailableSql"] = ["uuid", "character varying", "jsonb", "timestamp without time zone"],
        ["CrawlEventStatements.LockRunSql"] = ["uuid"],
        ["CrawlEventStatements.InsertLockedSql"] = ["uuid", "character varying", "jsonb", "timestamp without time zone"],
        ["CrawlEventStatements.LockRunsSql"] = ["uuid[]"],
        ["CrawlEventStatements.LockAvailableRunsSql"] = ["uuid[]"],
        ["CrawlEventStatements.LockClaimSql"] = ["uuid"],
        ["CrawlEventStatements.LockShardsSql"] = ["uuid[]"],
        ["CrawlEventStatements.DrawIdsSql"] = ["integer"],
        ["CrawlEventStatements.InsertSql"] = InsertEvents,
        ["CrawlEventStatements.InsertAvailableSql"] = InsertEvents,
        ["CrawlEventStatements.InsertClaimedSql"] = [.. InsertEvents, .. Claims],
        ["CrawlEventStatements.InsertAvailableClaimedSql"] = [.. InsertEvents, .. Claims],
        ["CrawlEventStatements.ReserveSql"] = ["uuid[]", "integer"],
        ["CrawlEventStatements.ReserveAvailableSql"] = ["uuid[]", "integer[]"],
        ["CrawlEventStatements.ReserveClaimedSql"] = ["uuid[]", "integer", .. Claims],
        ["CrawlEventStatements.ReserveAvailableClaimedSql"] = ["uuid[]", "integer[]", .. Claims],
        ["CrawlLogStatements.InsertSql"] = ["uuid[]", "uuid[]", "text[]", "text[]", "text[]", "text[]", "timestamp with time zone[]"],
        ["CrawlLogStatements.ReserveSql"] = ["uuid[]", "integer"],
    };

    private static string[] InsertEvents => ["uuid[]", "uuid[]", "text[]", "text[]", "timestamp without time zone[]"];

    private static string[] Claims => ["uuid[]", "integer[]", "boolean[]"];

    /// <summary>The statements by class and name.</summary>
    public static IReadOnlyList<(string Name, string Sql)> Statements { get; } =
    [
        .. from type in typeof(CrawlRunRepository).Assembly.GetTypes()
           from field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
           where field.IsLiteral && field.Name.EndsWith("Sql", StringComparison.Ordinal)
           select ($"{type.Name}.{field.Name}", (string)field.GetRawConstantValue()!),
    ];

    public static IEnumerable<TestCaseData> All() =>
        Statements.Select(statement => new TestCaseData(statement.Sql).SetArgDisplayNames(statement.Name));

    /// <summary>The type of each parameter of a statement, in the order of their first occurrences, or of their positions.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> ParameterTypes(string sql)
    {
        var name = Statements.First(statement => statement.Sql == sql).Name;
        if (TypesByPosition.TryGetValue(name, out var types))
        {
            return [.. types.Select((type, index) => KeyValuePair.Create($"{index + 1}", type))];
        }

        return
        [
            .. ParameterNames(sql).Select(
                parameter => KeyValuePair.Create(parameter, TypesOfStatements.GetValueOrDefault((name, parameter)) ?? TypeNames[parameter])),
        ];
    }

    /// <summary>Adds a statement's parameters, each null and with the type that the library sends.</summary>
    public static void AddParameters(NpgsqlCommand command)
    {
        foreach (var (name, type) in ParameterTypes(command.CommandText))
        {
            command.Parameters.Add(new NpgsqlParameter { ParameterName = ToParameterName(name), DataTypeName = type, Value = DBNull.Value });
        }
    }

    /// <summary>Returns the <c>prepare</c> statement. A notification that follows a statement is left out.</summary>
    public static string ToPrepare(string name, string sql) =>
        $"prepare {name}{Parenthesized(ParameterTypes(sql).Select(type => type.Value))} as {SeparatorPattern().Split(ToPositional(sql))[0]}";

    /// <summary>Returns the <c>create function</c> statement of a function that runs it, without <c>set</c>, <c>copy</c> and the like; null when nothing is
    /// left.</summary>
    public static string? ToFunction(string name, string sql)
    {
        var types = string.Join(", ", ParameterTypes(sql).Select(type => type.Value));
        var body = string.Concat(SeparatorPattern().Split(ToPositional(sql)).Where(part => PlannedPattern().IsMatch(part)).Select(part => $"{part}; "));
        return body.Length == 0 ? null : $"create function {name}({types}) returns void begin atomic {body} end";
    }

    /// <summary>Returns the <c>execute</c> statement, with literals by parameter and null for the others.</summary>
    public static string ToExecute(string name, string sql, IReadOnlyDictionary<string, string> literals) =>
        $"execute {name}{Parenthesized(ParameterTypes(sql).Select(type => type.Key).Select(parameter => literals.GetValueOrDefault(parameter, "null")))}";

    /// <summary>Returns the words before an opening parenthesis that have no schema: functions, words of the grammar, and names of tables.</summary>
    public static IEnumerable<string> UnqualifiedCalls(string sql) =>
        UnqualifiedCallPattern().Matches(WithoutLiterals(sql)).Select(match => match.Groups[1].Value);

    public static string WithoutLiterals(string sql) => LiteralPattern().Replace(sql, "''");

    /// <summary>Returns the name that Npgsql has for a parameter. It has none for a position.</summary>
    private static string ToParameterName(string name) => char.IsAsciiDigit(name[0]) ? "" : name;

    private static string ToPositional(string sql)
    {
        var names = ParameterNames(sql);
        return ParameterPattern().Replace(sql, match => $"${names.IndexOf(match.Groups[1].Value) + 1}");
    }

    private static string Parenthesized(IEnumerable<string> list) => string.Join(", ", list) is { Length: > 0 } joined ? $" ({joined})" : "";

    private static List<string> ParameterNames(string sql) => ParameterPattern().Matches(sql).Select(match => match.Groups[1].Value).Distinct().ToList();

    // Not one in a literal.
    [GeneratedRegex(";(?=(?:[^']*'[^']*')*[^']*$)")]
    private static partial Regex SeparatorPattern();

    [GeneratedRegex("^\\s*(select|with|insert|update|delete)\\b")]
    private static partial Regex PlannedPattern();

    [GeneratedRegex("(?<![.\\w])(\\w+) *\\(")]
    private static partial Regex UnqualifiedCallPattern();

    [GeneratedRegex("'[^']*'")]
    private static partial Regex LiteralPattern();

    [GeneratedRegex("(?<![@\\w])@(\\w+)")]
    private static partial Regex ParameterPattern();
}
