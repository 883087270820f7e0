using System.Text.Json;
using Dapper;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>The server's plans for the library's statements.</summary>
internal static class QueryPlan
{
    /// <summary>Custom plans and generic plans.</summary>
    public static readonly string[] Modes = ["force_custom_plan", "force_generic_plan"];

    /// <summary>The literals of a listing's first page, without a range.</summary>
    public static readonly Dictionary<string, string> WithoutBounds = new()
    {
        ["after_time"] = "'-infinity'",
        ["after_key"] = "'00000000-0000-0000-0000-000000000000'",
        ["before_time"] = "'infinity'",
        ["before_key"] = "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    };

    /// <summary>Explains a statement.</summary>
    /// <param name="dataSource">The database.</param>
    /// <param name="mode">One of <see cref="Modes"/>.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="values">Literals by parameter; null for the others.</param>
    /// <param name="literals">Parameters and literals in turn, which override the values.</param>
    public static Task<string> ExplainAsync(
        NpgsqlDataSource dataSource, string mode, string sql, IReadOnlyDictionary<string, string> values, params string[] literals) =>
        ExplainAsync(dataSource, "costs off", mode, sql, values, literals);

    /// <summary>Runs a statement, and counts the pages that it looks at, in the cache or not.</summary>
    /// <inheritdoc cref="ExplainAsync(NpgsqlDataSource, string, string, IReadOnlyDictionary{string, string}, string[])" path="/param"/>
    public static async Task<(long Pages, string Plan)> CountPagesAsync(
        NpgsqlDataSource dataSource, string mode, string sql, IReadOnlyDictionary<string, string> values, params string[] literals)
    {
        var plan = await ExplainAsync(dataSource, "analyze, buffers, format json", mode, sql, values, literals);
        var root = JsonDocument.Parse(plan).RootElement[0].GetProperty("Plan");
        return (root.GetProperty("Shared Hit Blocks").GetInt64() + root.GetProperty("Shared Read Blocks").GetInt64(), plan);
    }

    private static async Task<string> ExplainAsync(
        NpgsqlDataSource dataSource, string options, string mode, string sql, IReadOnlyDictionary<string, string> values, string[] literals)
    {
        var all = new Dictionary<string, string>(values);
        foreach (var pair in literals.Chunk(2))
        {
            all[pair[0]] = pair[1];
        }

        await using var connection = await dataSource.OpenConnectionAsync();
        await connection.ExecuteAsync($"set plan_cache_mode = {mode}");
        await connection.ExecuteAsync(SqlConstants.ToPrepare("statement", sql));
        var plan = string.Join('\n', await connection.QueryAsync<string>($"explain ({options}) {SqlConstants.ToExecute("statement", sql, all)}"));
        await connection.ExecuteAsync("deallocate statement");
        return plan;
    }
}
