using CrawlData.Cli.Exports;
using CrawlData.Crawls;
using CrawlData.Recordings;

namespace CrawlData.Tests.Cli;

/// <summary>The format CSV.</summary>
public sealed partial class ExportCommandTests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 23, 8, 0, 0, TimeSpan.Zero);

    private const string Payload = """{"n": 12345678901234567890.50, "text": "\"日本語\", 😀\n"}""";

    [Test]
    public async Task Csv_tells_null_from_empty_and_quotes_texts()
    {
        var run = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "a\"b,\r\nc", Goal = "", CreatedAt = Time });
        var id = await Events.AppendAsync(
            run.Id, new NewCrawlEvent { EventType = "Ａ", Payload = Jsonb.Parse(Payload), CreatedAt = Time.AddTicks(1_230) });
        await ExecuteAsync($"update crawl_runs set started_at = 'infinity' where id = '{run.Id}'");

        var runs = await ToCsvAsync("crawl_runs", run.Id);
        var events = await ToCsvAsync("crawl_events", run.Id);

        Assert.That(runs, Is.EqualTo(
            "id,status,app_package,device_config,max_steps,goal,created_at,started_at,completed_at,cancelled_at,error_message\r\n"
            + $"{run.Id},\"PENDING\",\"a\"\"b,\r\nc\",,100,\"\",2026-11-23T08:00:00.000000Z,infinity,,,\r\n"));
        Assert.That(events, Is.EqualTo(
            $"id,crawl_id,event_type,payload,created_at\r\n{id},{run.Id},\"Ａ\",\"{Payload.Replace("\"", "\"\"")}\",2026-11-23T08:00:00.000123Z\r\n"));
    }

    [Test]
    public async Task Csv_has_the_names_of_a_table_without_rows()
    {
        var session = await EnqueueAsync();

        var exported = await RunAsync("export", $"{session}", "--csv", "--table", "crawl_logs");
        var ofEvents = await RunAsync("export", $"{session}", "--csv");

        AssertDone(exported);
        Assert.That(exported.Output, Is.EqualTo("id,session_id,level,event_type,message,details,timestamp\r\n"));
        AssertFailed(
            ofEvents,
            2,
            $"crawldata: {session} has no crawl_events: --table takes audit_sessions, audit_pages, artifacts, crawl_logs for an audit session.");
    }

    private async Task<string> ToCsvAsync(string table, Guid crawl)
    {
        using var output = new MemoryStream();
        using var format = new CsvFormat(output, table);
        await new Export(DataSource, [new ExportSource(crawl, IsCrawl: true)], new ExportSelection { Table = table })
            .WriteAsync(format, showProgress: false, CancellationToken.None);
        Assert.That(format.BytesWritten, Is.EqualTo(output.Length));
        return System.Text.Encoding.UTF8.GetString(output.ToArray());
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
