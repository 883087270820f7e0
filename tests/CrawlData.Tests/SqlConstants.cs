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
        ["app_package"] = "text",
        ["cancelled_at"] = "timestamp",
        ["completed_at"] = "timestamp",
        ["crawl_id"] = "uuid",
        ["parent_ids"] = "uuid[]",
        ["after_id"] = "bigint",
        ["up_to_id"] = "bigint",
        ["created_at"] = "timestamp",
        ["created_ats"] = "timestamp[]",
        ["created_before"] = "timestamp",
        ["created_from"] = "timestamp",
        ["cursor_created_at"] = "timestamp",
        ["cursor_id"] = "uuid",
        ["device_config"] = "jsonb",
        ["error_message"] = "text",
        ["row_parent_ids"] = "uuid[]",
        ["event_type"] = "text",
        ["event_types"] = "text[]",
        ["rows"] = "integer",
        ["from"] = "text[]",
        ["goal"] = "text",
        ["id"] = "uuid",
        ["limit"] = "bigint",
        ["max_steps"] = "integer",
        ["payload"] = "jsonb",
        ["payloads"] = "text[]",
        ["script_hash"] = "text",
        ["script_name"] = "text",
        ["started_at"] = "timestamp",
        ["status"] = "text",
        ["statuses"] = "text[]",
        ["to"] = "text",
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
        return $"prepare {name} ({string.Join(", ", names.Select(parameter => TypeNames[parameter]))}) as {positional}";
    }

    /// <summary>What executes it, with literals by parameter; null for the others.</summary>
    public static string ToExecute(string name, string sql, IReadOnlyDictionary<string, string> literals) =>
        $"execute {name} ({string.Join(", ", ParameterNames(sql).Select(parameter => literals.GetValueOrDefault(parameter, "null")))})";

    private static List<string> ParameterNames(string sql) => ParameterPattern().Matches(sql).Select(match => match.Groups[1].Value).Distinct().ToList();

    [GeneratedRegex("(?<![@\\w])@(\\w+)")]
    private static partial Regex ParameterPattern();
}
