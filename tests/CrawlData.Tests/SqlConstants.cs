using System.Reflection;
using System.Text.RegularExpressions;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>The library's statements, found by their names: constants that end in <c>Sql</c>.</summary>
public static partial class SqlConstants
{
    /// <summary>What each parameter is sent as; one name means one thing in all statements.</summary>
    private static readonly Dictionary<string, string> TypeNames = new()
    {
        ["abandon_artifacts"] = "boolean",
        ["after_id"] = "bigint",
        ["after_time"] = "timestamptz",
        ["after_key"] = "uuid",
        ["age"] = "interval",
        ["app_package"] = "text",
        ["app_packages"] = "text[]",
        ["attempt"] = "integer",
        ["attempts"] = "integer[]",
        ["before_id"] = "bigint",
        ["before_key"] = "uuid",
        ["before_time"] = "timestamptz",
        ["cancelled_times"] = "timestamptz[]",
        ["checksums"] = "text[]",
        ["completed_times"] = "timestamptz[]",
        ["config_snapshots"] = "text[]",
        ["crawl_id"] = "uuid",
        ["crawl_policy_version"] = "text",
        ["crawl_policy_versions"] = "text[]",
        ["created_at"] = "timestamp",
        ["created_ats"] = "timestamp[]",
        ["created_before"] = "timestamp",
        ["created_from"] = "timestamp",
        ["created_times"] = "timestamptz[]",
        ["cutoff"] = "timestamptz",
        ["deleted_ats"] = "timestamptz[]",
        ["details"] = "text[]",
        ["device_configs"] = "text[]",
        ["error_message"] = "text",
        ["error_messages"] = "text[]",
        ["error_summaries"] = "text[]",
        ["error_summary"] = "text",
        ["event_type"] = "text",
        ["event_types"] = "text[]",
        ["final_url"] = "text",
        ["final_urls"] = "text[]",
        ["from"] = "text[]",
        ["from_time"] = "timestamptz",
        ["goals"] = "text[]",
        ["id"] = "uuid",
        ["ids"] = "uuid[]",
        ["include_deleted"] = "boolean",
        ["keep_forevers"] = "boolean[]",
        ["levels"] = "text[]",
        ["limit"] = "bigint",
        ["load_timings"] = "jsonb",
        ["long"] = "interval",
        ["low_confidence"] = "boolean",
        ["low_confidence_reasons"] = "jsonb",
        ["low_confidences"] = "boolean[]",
        ["max_attempts"] = "integer",
        ["max_steps"] = "integer[]",
        ["messages"] = "text[]",
        ["modes"] = "text[]",
        ["page_id"] = "uuid",
        ["page_ids"] = "uuid[]",
        ["page_load_timings"] = "text[]",
        ["page_low_confidence_reasons"] = "text[]",
        ["page_types"] = "text[]",
        ["parent_id"] = "uuid",
        ["parent_ids"] = "uuid[]",
        ["payload"] = "jsonb",
        ["payload_text"] = "text",
        ["payloads"] = "text[]",
        ["pdp_url"] = "text",
        ["pdp_urls"] = "text[]",
        ["retention_policies"] = "text[]",
        ["retention_untils"] = "timestamptz[]",
        ["row_id"] = "bigint",
        ["row_parent_ids"] = "uuid[]",
        ["rows"] = "integer",
        ["script_hash"] = "text",
        ["script_name"] = "text",
        ["session_id"] = "uuid",
        ["session_ids"] = "uuid[]",
        ["short"] = "interval",
        ["silent_for"] = "interval",
        ["sizes_bytes"] = "bigint[]",
        ["standard"] = "interval",
        ["started_times"] = "timestamptz[]",
        ["status"] = "text",
        ["statuses"] = "text[]",
        ["storage_uris"] = "text[]",
        ["timestamps"] = "timestamptz[]",
        ["to"] = "text",
        ["transaction_id"] = "xid8",
        ["transaction_start"] = "timestamptz",
        ["types"] = "text[]",
        ["up_to_id"] = "bigint",
        ["urls"] = "text[]",
        ["viewports"] = "text[]",
    };

    public static IEnumerable<TestCaseData> All() =>
        from type in typeof(CrawlRunRepository).Assembly.GetTypes()
        from field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where field.IsLiteral && field.Name.EndsWith("Sql", StringComparison.Ordinal)
        select new TestCaseData((string)field.GetRawConstantValue()!).SetArgDisplayNames($"{type.Name}.{field.Name}");

    /// <summary>Makes a statement's parameters, typed as the library sends them.</summary>
    public static void AddParameters(NpgsqlCommand command)
    {
        foreach (var name in ParameterNames(command.CommandText))
        {
            command.Parameters.Add(new NpgsqlParameter { ParameterName = name, DataTypeName = TypeNames[name], Value = DBNull.Value });
        }
    }

    /// <summary>A statement as <c>prepare</c> takes it.</summary>
    public static string ToPrepare(string name, string sql)
    {
        var names = ParameterNames(sql);
        var positional = ParameterPattern().Replace(sql, match => $"${names.IndexOf(match.Groups[1].Value) + 1}");
        return $"prepare {name}{Parenthesized(names.Select(parameter => TypeNames[parameter]))} as {positional}";
    }

    /// <summary>What executes it, with literals by parameter; null for the others.</summary>
    public static string ToExecute(string name, string sql, IReadOnlyDictionary<string, string> literals) =>
        $"execute {name}{Parenthesized(ParameterNames(sql).Select(parameter => literals.GetValueOrDefault(parameter, "null")))}";

    private static string Parenthesized(IEnumerable<string> list) => string.Join(", ", list) is { Length: > 0 } joined ? $" ({joined})" : "";

    private static List<string> ParameterNames(string sql) => ParameterPattern().Matches(sql).Select(match => match.Groups[1].Value).Distinct().ToList();

    [GeneratedRegex("(?<![@\\w])@(\\w+)")]
    private static partial Regex ParameterPattern();
}
