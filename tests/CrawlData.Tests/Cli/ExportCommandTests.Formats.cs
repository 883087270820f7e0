using System.Text.Json;
using CrawlData.Cli;
using CrawlData.Cli.Exports;
using CrawlData.Crawls;
using CrawlData.Recordings;
using ParquetSharp;

namespace CrawlData.Tests.Cli;

/// <summary>The formats CSV and Parquet.</summary>
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

    /// <summary>A crawl, and a session without artifacts and log lines. They go to one folder.</summary>
    [Test]
    public async Task Parquet_has_a_typed_file_for_each_table_with_rows()
    {
        var run = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "é", Goal = "" });
        var ids = await Events.AppendAsync(run.Id,
        [
            new NewCrawlEvent { EventType = "Ａ", Payload = Jsonb.Parse(Payload), CreatedAt = Time.AddTicks(1_230) },
            new NewCrawlEvent { EventType = "😀", Payload = Jsonb.Parse("null") },
        ]);
        var session = await EnqueueAsync();
        await Pages.InsertAsync(session, Page());
        var folder = TemporaryFile("parquet");

        var exported = await RunAsync("export", $"{run.Id}", $"{session}", "--parquet", folder);

        AssertDone(exported);
        Assert.That(exported.Output, Is.Empty);
        using var manifest = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "manifest.json")));
        Assert.That(
            manifest.RootElement.GetProperty("sources").GetRawText().Replace(" ", "").ReplaceLineEndings(""),
            Is.EqualTo($$"""
                [{"crawl_id":"{{run.Id}}","status":"PENDING","rows":3,"next_after":{{ids[1]}}},{"session_id":"{{session}}","status":"queued","rows":2}]
                """));
        var files = manifest.RootElement.GetProperty("files").EnumerateArray()
            .Select(file => (
                File: file.GetProperty("file").GetString()!, Rows: file.GetProperty("rows").GetInt64(), Bytes: file.GetProperty("bytes").GetInt64()))
            .ToList();
        Assert.That(files.Select(file => (file.File, file.Rows)), Is.EqualTo(
            [("crawl_runs.parquet", 1), ("crawl_events.parquet", 2), ("audit_sessions.parquet", 1), ("audit_pages.parquet", 1)]));
        Assert.That(Directory.GetFiles(folder).Select(Path.GetFileName), Is.EquivalentTo(files.Select(file => file.File).Append("manifest.json")));
        Assert.That(files.Select(file => file.Bytes), Is.EqualTo(files.Select(file => new FileInfo(Path.Combine(folder, file.File)).Length)));
        Assert.That(manifest.RootElement.GetProperty("schema").GetString(), Does.Match(@"^\d{3}_\w+\.sql$"));

        var events = ReadParquet(Path.Combine(folder, "crawl_events.parquet"));
        Assert.That(events["id"], Is.EqualTo(ids.Cast<long?>()));
        Assert.That(events["crawl_id"], Is.All.EqualTo($"{run.Id}"));
        Assert.That(events["event_type"], Is.EqualTo(["Ａ", "😀"]));
        Assert.That(events["payload"], Is.EqualTo([Payload, "null"]));
        Assert.That(events["created_at"][0], Is.EqualTo(Time.AddTicks(1_230).UtcDateTime));
        var runs = ReadParquet(Path.Combine(folder, "crawl_runs.parquet"));
        Assert.That(runs.Where(column => column.Value[0] is null).Select(column => column.Key), Is.EqualTo(
            ["device_config", "started_at", "completed_at", "cancelled_at", "error_message"]));
        Assert.That((runs["goal"][0], runs["status"][0], runs["max_steps"][0]), Is.EqualTo(("", "PENDING", 100)));
        Assert.That(ReadParquet(Path.Combine(folder, "audit_sessions.parquet"))["low_confidence"], Is.EqualTo([(bool?)false]));

        using var reader = new ParquetFileReader(Path.Combine(folder, "crawl_events.parquet"));
        Assert.That(
            Enumerable.Range(0, 5).Select(column => $"{reader.FileMetaData.Schema.Column(column).LogicalType}".Split(", is_from")[0]),
            Is.EqualTo(["Int(bitWidth=64, isSigned=true)", "String", "String", "JSON", "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds"]));
        using var group = reader.RowGroup(0);
        Assert.That(
            Enumerable.Range(0, 5).Select(column => group.MetaData.GetColumnChunkMetaData(column).Encodings.Contains(ParquetSharp.Encoding.RleDictionary)),
            Is.EqualTo([false, true, true, false, false]));
    }

    /// <summary>Goes red without the limit on the bytes of a row group.</summary>
    [Test]
    public async Task Parquet_writes_row_groups_of_bounded_size()
    {
        var crawl = await CreateCrawlAsync();
        await ExecuteAsync($$"""
            insert into crawl_events (crawl_id, event_type, payload, created_at)
            select '{{crawl}}', 'large', jsonb_build_object('text', repeat('x', 9000000)), case n when 2 then 'infinity' when 3 then '-infinity' else now() end
            from generate_series(1, 5) as n
            """);
        var folder = TemporaryFile("parquet");

        await ToParquetAsync(folder, crawl);

        using var reader = new ParquetFileReader(Path.Combine(folder, "crawl_events.parquet"));
        Assert.That(Enumerable.Range(0, reader.FileMetaData.NumRowGroups).Select(group => reader.RowGroup(group).MetaData.NumRows), Is.EqualTo([2, 2, 1]));
        using var times = reader.RowGroup(1).Column(4);
        var values = new long[1];
        ((ColumnReader<long>)times).ReadBatch(1, new short[1], [], values, out _);
        Assert.That(values, Is.EqualTo([-long.MaxValue]), "which DuckDB takes for -infinity");
    }

    [Test]
    public async Task Parquet_refuses_a_folder_with_files_and_replaces_what_an_export_has_left()
    {
        var folder = Directory.CreateDirectory(TemporaryFile("parquet")).FullName;
        await Task.WhenAll(new[] { "crawl_events.parquet", "crawl_logs.parquet", "artifacts.parquet.partial" }
            .Select(name => File.WriteAllTextAsync(Path.Combine(folder, name), "not Parquet")));

        var refused = await Assert.CatchAsync<UsageException>(() => ToParquetAsync(folder, crawlId));
        await File.WriteAllTextAsync(Path.Combine(folder, "manifest.json.partial"), "{");
        await ToParquetAsync(folder, crawlId);
        var complete = await Assert.CatchAsync<UsageException>(() => ToParquetAsync(folder, crawlId));

        Assert.That(refused!.Message, Does.Match($"^{folder} holds crawl_(events|logs).parquet: give --parquet a new folder, or an empty one.$"));
        Assert.That(complete, Is.Not.Null);
        Assert.That(Directory.GetFiles(folder).Select(Path.GetFileName), Is.EquivalentTo(["crawl_events.parquet", "crawl_runs.parquet", "manifest.json"]));
        Assert.That(ReadParquet(Path.Combine(folder, "crawl_events.parquet"))["id"], Has.Length.EqualTo(12_081));
    }

    /// <summary>The first crawl is written before the second one fails.</summary>
    [Test]
    public async Task A_failed_export_leaves_no_Parquet_file()
    {
        var folder = TemporaryFile("parquet");

        await Assert.CatchAsync<RowNotFoundException>(() => ToParquetAsync(folder, crawlId, Guid.NewGuid()));

        Assert.That(Directory.GetFileSystemEntries(Path.GetDirectoryName(folder)!), Is.Empty);
    }

    private async Task<string> ToCsvAsync(string table, Guid crawl)
    {
        using var output = new MemoryStream();
        var format = new CsvFormat(output, table);
        await new Export(DataSource, [new ExportSource(crawl, IsCrawl: true)], new ExportSelection { Table = table })
            .WriteAsync(format, showProgress: false, CancellationToken.None);
        Assert.That(format.BytesWritten, Is.EqualTo(output.Length));
        return System.Text.Encoding.UTF8.GetString(output.ToArray());
    }

    private async Task ToParquetAsync(string folder, params IEnumerable<Guid> crawls)
    {
        using var format = new ParquetFolder(folder);
        var export = new Export(DataSource, [.. crawls.Select(crawl => new ExportSource(crawl, IsCrawl: true))], ExportSelection.All);
        await export.WriteAsync(format, showProgress: false, CancellationToken.None);
        format.Complete(export.Describe);
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static Dictionary<string, object?[]> ReadParquet(string file)
    {
        using var reader = new ParquetFileReader(file);
        using var group = reader.RowGroup(0);
        return Enumerable.Range(0, reader.FileMetaData.NumColumns).ToDictionary(
            column => reader.FileMetaData.Schema.Column(column).Name,
            column =>
            {
                using var values = group.Column(column).LogicalReader();
                return values.Apply(new ToObjects((int)group.MetaData.NumRows));
            });
    }

    private sealed class ToObjects(int rows) : ILogicalColumnReaderVisitor<object?[]>
    {
        public object?[] OnLogicalColumnReader<TValue>(LogicalColumnReader<TValue> columnReader) => [.. columnReader.ReadAll(rows)];
    }
}
