using CrawlData.Crawls;
using CrawlData.Recordings;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Tests;

/// <summary>The largest limits of JSON. Each case moves tens of megabytes.</summary>
public sealed class LargestJsonTests : DatabaseTest
{
    /// <summary>The most elements that fit into the largest size.</summary>
    [Test]
    public async Task JSON_of_the_largest_size_limit_is_stored()
    {
        var largest = Jsonb.Parse(
            "[" + string.Join(',', Enumerable.Repeat("1", (JsonbOptions.LargestMaxBytes / 2) - 1)) + "]",
            new JsonbOptions { MaxBytes = JsonbOptions.LargestMaxBytes });

        await using var command = DataSource.CreateCommand("select jsonb_array_length($1)");
        command.Parameters.Add(new NpgsqlParameter { Value = largest.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });

        Assert.That(await command.ExecuteScalarAsync(), Is.EqualTo((JsonbOptions.LargestMaxBytes / 2) - 1));
    }

    [Test]
    public async Task JSON_of_the_largest_limits_is_exported_and_imported()
    {
        var crawl = await CreateCrawlAsync();
        var largest = new JsonbOptions { MaxDepth = JsonbOptions.LargestMaxDepth, MaxBytes = JsonbOptions.LargestMaxBytes };
        await Events.AppendAsync(
            crawl, new NewCrawlEvent { EventType = "deep", Payload = Jsonb.Parse(new string('[', 1_000) + new string(']', 1_000), largest) });
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "long", Payload = Jsonb.From(new string('x', 20_000_000), options: largest) });
        var wide = "[" + string.Join(',', Enumerable.Repeat("1234567", (JsonbOptions.LargestMaxBytes / 8) - 1)) + "]";
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "wide", Payload = Jsonb.Parse(wide, largest) });
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "twice", Payload = Jsonb.Parse("""{"a": 1, "a": 2}""") });

        using var recording = new MemoryStream();
        await new RecordingExporter(DataSource).ExportCrawlAsync(crawl, recording);
        recording.Position = 0;
        var options = new RecordingImportOptions { NewIds = true, Enqueue = true };
        var copy = (await new RecordingImporter(DataSource).ImportAsync(recording, options)).CrawlIds.Single();

        await using var compare = DataSource.CreateCommand(
            """
            select count(*)
            from crawl_events as original
            join crawl_events as copied using (event_type, payload)
            where original.crawl_id = $1 and copied.crawl_id = $2
            """);
        compare.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        compare.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = copy });
        Assert.That(await compare.ExecuteScalarAsync(), Is.EqualTo(4));
    }
}
