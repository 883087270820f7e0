using CrawlData.Crawls;
using CrawlData.Testing;
using DuckDB.NET.Data;

namespace CrawlData.Packages.Tests;

/// <summary>What the installed tool exports, as DuckDB reads it. Parquet needs the native library that is in the tool's package.</summary>
public sealed class ToolExportTests
{
    private const string Payload = """{"n": 9007199254740993, "big": 12345678901234567890123, "text": "\"日本語\", 😀\n", "exact": 12345678901234567.25}""";

    private static readonly DateTimeOffset Time = new(2026, 11, 23, 8, 0, 0, TimeSpan.Zero);

    private ThrowawayDatabase database = null!;

    private static string Folder => Path.Combine(Packed.Consumers, "exports");

    [OneTimeSetUp]
    public async Task ExportAsync()
    {
        var tools = Path.Combine(Folder, "tools");
        Directory.CreateDirectory(Folder);
        await Command.RunAsync(Packed.Consumers, Command.DotNet, "tool", "install", "CrawlData.Cli", "--version", Packed.Version, "--tool-path", tools);
        database = await ThrowawayDatabase.StartAsync();
        var run = await new CrawlRunRepository(database.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "é", Goal = "" });
        await new CrawlEventRepository(database.DataSource).AppendAsync(run.Id,
        [
            new NewCrawlEvent { EventType = "a", Payload = Jsonb.Parse(Payload), CreatedAt = Time.AddTicks(1_230) },
            new NewCrawlEvent { EventType = "Ａ", Payload = Jsonb.Parse("null"), CreatedAt = Time },
            new NewCrawlEvent { EventType = "😀", Payload = Jsonb.Parse("[]"), CreatedAt = Time },
        ]);
        await RunAsync("--parquet", "parquet");
        await RunAsync("--csv", "--output", "events.csv");
        await RunAsync("--csv", "--table", "crawl_runs", "--output", "runs.csv");
        await RunAsync("--output", "crawl.ndjson");

        Task<string> RunAsync(params string[] arguments) => Command.RunAsync(
            Folder, new Dictionary<string, string?> { ["CRAWLDATA_CONNECTION"] = database.ConnectionString }, Path.Combine(tools, "crawldata"),
            ["export", $"{run.Id}", .. arguments]);
    }

    [OneTimeTearDown]
    public async Task DropDatabaseAsync() => await database.DisposeAsync();

    [TestCase("'parquet/crawl_events.parquet'", "BIGINT VARCHAR VARCHAR JSON TIMESTAMP WITH TIME ZONE")]
    [TestCase("read_csv('events.csv')", "BIGINT VARCHAR VARCHAR VARCHAR TIMESTAMP WITH TIME ZONE")]
    public void Events_keep_their_values(string source, string types)
    {
        Assert.That(Query($"select string_agg(column_type, ' ') from (describe from {source})"), Is.EqualTo(types));
        Assert.That(Query($"select payload::varchar from {source} where event_type = 'a'"), Is.EqualTo(Payload));
        Assert.That(Query($"select payload->>'n' from {source} where event_type = 'a'"), Is.EqualTo("9007199254740993"));
        Assert.That(Query($"select payload->>'text' from {source} where event_type = 'a'"), Is.EqualTo("\"日本語\", 😀\n"));
        Assert.That(Query($"select epoch_us(created_at) from {source} where event_type = 'a'"), Is.EqualTo($"{Time.ToUnixTimeMilliseconds()}123"));
        Assert.That(Query($"select count(*) from {source} where event_type = '😀'"), Is.EqualTo("1"), "statistics have the order of UTF-8");
    }

    [TestCase("'parquet/crawl_runs.parquet'")]
    [TestCase("read_csv('runs.csv', allow_quoted_nulls = false)")]
    public void Null_is_told_from_an_empty_text(string source) =>
        Assert.That(Query($"select count(*) from {source} where goal = '' and device_config is null and started_at is null"), Is.EqualTo("1"));

    [Test]
    public void A_recording_is_read_with_columns()
    {
        var source = "read_json('crawl.ndjson', columns = {\"table\": 'VARCHAR', \"row\": 'JSON'}) where row->>'event_type' = 'a'";

        Assert.That(Query($"select row->>'$.payload.n' from {source}"), Is.EqualTo("9007199254740993"));
        Assert.That(Query($"select row->>'$.payload.big' from {source}"), Is.EqualTo("12345678901234567890123"));
        Assert.That(Query($"select epoch_us((row->>'created_at')::timestamptz) from {source}"), Is.EqualTo($"{Time.ToUnixTimeMilliseconds()}123"));
    }

    private static string? Query(string sql)
    {
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"set file_search_path = '{Folder}'";
        command.ExecuteNonQuery();
        command.CommandText = sql;
        return $"{command.ExecuteScalar()}";
    }
}
