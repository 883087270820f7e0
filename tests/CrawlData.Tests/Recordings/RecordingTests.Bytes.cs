using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Tests.Cli;
using Npgsql;

namespace CrawlData.Tests.Recordings;

/// <summary>An export copies values from the reader's buffer. Its bytes are those that System.Text.Json writes for objects and strings.</summary>
public partial class RecordingTests
{
    private static readonly string[] Payloads =
    [
        "{}", "[]", "null", "true", "\"\"", "7",
        "1e300", "-1.50", "0.1e-300", "12345678901234567890123456789.000",
        """{"a": null, "b": [1, "é", "😀", "\u2028"]}""",
        """ "\" \\ / \b \f \n \r \t \u0001 \u007f \ud83d\ude00 <&'+`> \ue000 \ufdd0 \uffff" """,
    ];

    private static readonly string[] Times =
    [
        "-infinity", "4713-01-01 BC", "0001-12-31 23:59:59.999999 BC", "0001-01-01", "0001-01-01 00:00:00.000001", "1969-12-31 23:59:59.999",
        "1999-12-31 23:59:59.999999", "2000-01-01", "2026-11-23 00:18:58.819", "2026-11-23 00:18:58.81", "2026-11-23 00:18:58.000819",
        "9999-12-31 23:59:59.999999", "10000-01-01", "294276-12-31 23:59:59.999999", "infinity",
    ];

    [TestCaseSource(typeof(Tool), nameof(Tool.EmbeddedRecordings))]
    public async Task A_recording_is_exported_with_the_bytes_of_its_objects(string name)
    {
        await using var recording = Tool.OpenRecording(name);
        var imported = await Importer.ImportAsync(recording, new RecordingImportOptions { NewIds = true });

        Assert.That(imported.Total.Rows, Is.GreaterThan(100));
        foreach (var crawl in imported.CrawlIds)
        {
            var exported = await ExportAsync(crawl);
            Assert.That(exported, Is.EqualTo(await WriteCrawlAsync(crawl)));
            Assert.That(exported.Split('\n')[1..^1], Is.EqualTo((await Events.StreamAsync(crawl).ToListAsync()).Select(ToLine)));
        }

        foreach (var session in imported.SessionIds)
        {
            Assert.That(await ExportSessionAsync(session), Is.EqualTo(await WriteSessionAsync(session)));
        }
    }

    [Test]
    public async Task Extreme_events_are_exported_with_the_bytes_of_their_objects()
    {
        var crawl = await CreateCrawlAsync();

        // All characters of the first planes, in texts of the largest length.
        var texts = Enumerable.Range(1, 0x1_ffff).Where(Rune.IsValid).Select(value => $"{new Rune(value)}").Chunk(50).Select(text => string.Concat(text));
        var payloads = Payloads.Concat(Enumerable.Range(0, 6).Select(power => $"\"{new string('é', 3_000 << power)}\""));
        await Events.AppendAsync(
            crawl,
            [
                .. texts.Select(text => new NewCrawlEvent { EventType = text, Payload = Jsonb.Parse("{}") }),
                .. payloads.Select(json => new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse(json) }),
            ]);
        await ExecuteAsync(
            "insert into crawl_events (crawl_id, event_type, payload, created_at) select $1, 'time', '{}', time::timestamp from unnest($2) as times (time)",
            crawl,
            Times);

        var exported = await ExportAsync(crawl);

        Assert.That(exported.Count(one => one == '\n'), Is.EqualTo(1 + await Events.CountAsync(crawl)));
        Assert.That(exported, Is.EqualTo(await WriteCrawlAsync(crawl)));
    }

    [Test]
    public async Task Extreme_rows_of_each_table_are_exported_with_the_bytes_of_their_objects()
    {
        var (crawl, session) = (await CreateCrawlAsync(), await EnqueueAsync());
        await ExecuteAsync(
            "update crawl_runs set device_config = 'null', max_steps = -2147483648, goal = '', error_message = $2 where id = $1", crawl, "\u0001\"é😀");
        await ExecuteAsync("update audit_sessions set low_confidence = true, attempts = 2147483647, error_summary = $2 where id = $1", session, "a\r\n\t\\");
        var page = await Pages.InsertAsync(session, Page(PageType.Pdp, Viewport.Mobile));
        await Artifacts.InsertAsync(session, Artifact(page.Id) with { SizeBytes = long.MaxValue, Checksum = "\u007f", KeepForever = true });
        await ExecuteAsync(
            """
            insert into artifacts (session_id, page_id, type, storage_uri, size_bytes, created_at, retention_until, deleted_at)
            select $1, $2, 'html_gz', 's3://a', 0, at, at, at from (select time::timestamp at time zone 'utc' from unnest($3) as times (time)) as times (at)
            """,
            session,
            page.Id,
            Times);
        await Logs.AppendAsync(session, Enum.GetValues<CrawlLogEventType>().SelectMany(type => Enum.GetValues<CrawlLogLevel>().Select(level =>
            new NewCrawlLog { EventType = type, Level = level, Message = $"{type}\n{new string('"', 9_000)}", Details = Jsonb.Parse("null") })));

        Assert.That(await ExportAsync(crawl), Is.EqualTo(await WriteCrawlAsync(crawl)));
        Assert.That(await ExportSessionAsync(session), Is.EqualTo(await WriteSessionAsync(session)));
    }

    /// <summary>The disposal of its reader would read the other events, however many there are.</summary>
    [Test]
    public async Task An_export_whose_stream_fails_cancels_its_query()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Enumerable.Range(0, 20).Select(_ =>
            new NewCrawlEvent { EventType = "step", Payload = Jsonb.From(new string('x', 10_000)) }));
        var cancels = new LoggedEvents<NpgsqlDataSource>(NpgsqlEventId.CancellingCommand);
        using var loggers = new OneLoggerFactory(cancels);
        await using var source = new NpgsqlDataSourceBuilder(Database.ConnectionString).UseLoggerFactory(loggers).Build();
        var exporter = new RecordingExporter(source);
        await using var closed = new FileStream(Path.GetTempFileName(), FileMode.Open, FileAccess.Read, FileShare.Read, 4_096, FileOptions.DeleteOnClose);

        await exporter.ExportCrawlAsync(crawl, Stream.Null);
        var ofAll = cancels.Received.Count;
        await Assert.ThrowsAsync<NotSupportedException>(() => exporter.ExportCrawlAsync(crawl, closed));

        Assert.That((ofAll, cancels.Received.Count), Is.EqualTo((0, 1)));
        Assert.That((await exporter.ExportCrawlAsync(crawl, Stream.Null)).Events, Is.EqualTo(20), "the connection is as good as new");
    }

    /// <summary>The line of an event's record.</summary>
    private static string ToLine(CrawlEvent crawlEvent)
    {
        var fraction = crawlEvent.CreatedAt.Microsecond == 0 ? "fff" : "ffffff";
        var time = crawlEvent.CreatedAt.ToString($"yyyy-MM-dd'T'HH:mm:ss.{fraction}'Z'", CultureInfo.InvariantCulture);
        var type = JsonEncodedText.Encode(crawlEvent.EventType, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        return $$$"""{"table":"crawl_events","row":{"crawl_id":"{{{crawlEvent.CrawlId}}}","event_type":"{{{type}}}","payload":{{{crawlEvent.Payload}}},"""
            + $"\"created_at\":\"{time}\"}}}}";
    }

    private async Task<string> WriteCrawlAsync(Guid crawl)
    {
        await using var format = new ObjectFormat();
        await Exporter.ExportCrawlAsync(crawl, format, ExportSelection.All, null, CancellationToken.None);
        return format.ToString();
    }

    private async Task<string> WriteSessionAsync(Guid session)
    {
        await using var format = new ObjectFormat();
        await Exporter.ExportSessionAsync(session, format, ExportSelection.All, null, CancellationToken.None);
        return format.ToString();
    }

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = DataSource.CreateCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        await command.ExecuteNonQueryAsync();
    }
}
