using System.Globalization;
using System.Runtime.InteropServices;
using CrawlData.Benchmarks.Crawls;
using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Benchmarks.Peers.Measurements;
using CrawlData.Benchmarks.Tool;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>Takes all measurements and writes them down.</summary>
internal sealed class Report(ReportOptions options)
{
    private const string RatioColumn = "ratio to baseline";
    private const string BytesColumn = "bytes allocated per event";

    private const string NoMarten =
        "**Marten.** Not measured in this run. It is built in with `-p:WithMarten=true`, if the package registry has all of its dependencies.";

    private readonly ReportWriter writer = new();
    private readonly BenchmarkScale scale = options.Scale;

    /// <returns>The path of the report.</returns>
    public async Task<string> RunAsync()
    {
        Directory.CreateDirectory(options.Folder);
        if (options.LargeTable is { } events)
        {
            return await WriteScaleAsync(events);
        }

        writer.Heading(1, "CrawlData compared with other libraries");
        if (options.Quick)
        {
            writer.Paragraph("**A smoke test: every measurement ran on little data and in few rounds, so the figures mean nothing.**");
        }

        writer.Paragraph(
            "Ratios compare medians. Each round runs all compared methods once, in random order, so the machine's other load affects them alike. "
            + "The ratios are therefore more reliable than the times. Lower is better, except for events per second.");
        await using (var database = await ThrowawayDatabase.StartAsync())
        {
            var server = await ServerFacts.ReadAsync(database.DataSource);
            await WriteMachineAsync(database, server);
            await WriteReadsAsync(server.Fsync);
            await WriteAppendsAsync(server.Fsync);
            await WriteWriterAsync(server.Fsync);
            await WriteFollowersAsync(server.Fsync);
            await WriteTransfersAsync(server.Fsync);
            await WriteGrowthAsync(server.Fsync);
            await WriteColdReadsAsync();
            await WriteProfileAsync(server.Fsync);
        }

        var file = Path.Combine(options.Folder, "report.md");
        await writer.SaveAsync(file);
        return file;
    }

    private static void Progress(string step) => Console.WriteLine($"{TimeProvider.System.GetUtcNow():HH:mm:ss} {step}");

    private static string Ratio(Measurement one, Measurement baseline) => $"{one.Median / baseline.Median:0.00}";

    private static string Count(double count) => count.ToString("N0", CultureInfo.InvariantCulture);

    private static string Count(int count, string one, string many) => $"{Count(count)} {(count == 1 ? one : many)}";

    private static IReadOnlyList<(string Name, double Value)> RatioBars(IReadOnlyList<Measurement> measurements) =>
        [.. measurements.Select(one => (one.Name, one.Median / measurements[0].Median))];

    private static IReadOnlyList<double> Milliseconds(IEnumerable<Measurement> measurements) =>
        [.. measurements.Select(one => one.Median.TotalMilliseconds).Select(value => Math.Round(value, value < 10 ? 2 : 1))];

    private void WriteFiguresHeading(string title, bool fsync)
    {
        writer.Heading(2, title);
        writer.Paragraph(fsync
            ? "These figures were taken with fsync on: a commit waits for the disk."
            : "These figures were taken with fsync off: a commit does not wait for the disk.");
    }

    private async Task WriteMachineAsync(ThrowawayDatabase database, ServerFacts server)
    {
        var peers = AllPeers.Of(database.DataSource);
        writer.Heading(2, "Machine, versions and command");
        writer.Table(["fact", "value"],
        [
            ["date", $"{TimeProvider.System.GetUtcNow():yyyy-MM-dd HH:mm} UTC"],
            ["processor", Machine.Processor],
            ["cores", $"{Environment.ProcessorCount}, shared by the server and the benchmark"],
            ["memory", Machine.Memory],
            ["operating system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}"],
            ["PostgreSQL", $"{server.Version}; {server.Settings}"],
            .. DurableServer.FileSystem is { } fileSystem ? [["file system of PostgreSQL's data", fileSystem]] : Array.Empty<string[]>(),
            [".NET", Environment.Version.ToString()],
            .. peers.SelectMany(peer => peer.Packages).DistinctBy(type => type.Assembly)
                .Select(type => new[] { type.Assembly.GetName().Name!, Machine.VersionOf(type) }),
        ], texts: 2);
        writer.Code(options.Command);
        writer.Heading(2, "Compared libraries");
        writer.Paragraph(
            "Each library is used as its own documentation recommends. All store the same events, and all but Marten use the same tables. "
            + "They differ in what they guarantee:");
        writer.List([.. peers.Select(peer => $"**{peer.Name}.** {peer.Difference}"), .. AllPeers.WithMarten ? Array.Empty<string>() : [NoMarten]]);
        foreach (var peer in peers)
        {
            await peer.DisposeAsync();
        }
    }

    private async Task WriteReadsAsync(bool fsync)
    {
        Progress("reads");
        var measurements = await Reads.RunAsync(scale);
        var title = $"Read one crawl's {Count(scale.EventsPerCrawl)} events out of {Count(scale.Events)} events of {scale.Crawls} crawls";
        WriteFiguresHeading(title, fsync);
        writer.Paragraph($"The cache is warm, and the baseline is Npgsql by hand. Rounds: {scale.Rounds}.");
        writer.Table(["method", RatioColumn, "median", BytesColumn], measurements.Select(one => new[]
        {
            one.Name, Ratio(one, measurements[0]), Measurement.Format(one.Median), Count(one.MedianBytes / scale.EventsPerCrawl),
        }));
        writer.Bars(title, $"time as a multiple of {measurements[0].Name}", RatioBars(measurements));
    }

    private async Task WriteAppendsAsync(bool fsync)
    {
        Progress("appends");
        var rows = await Appends.RunAsync(scale);
        WriteFiguresHeading("Append in one committed transaction", fsync);
        writer.Paragraph(
            "For one event, the baseline is a plain INSERT by hand. For more events, it is a binary COPY by hand, which returns no ids. "
            + "A method returns the ids unless its name says otherwise. "
            + $"Rounds: {string.Join(", ", scale.AppendSizes.Select(scale.AppendRoundsOf))}, after a third as many that are not measured.");
        writer.Table(["events", "method", RatioColumn, "median", BytesColumn], rows.SelectMany(row => row.Measurements.Select(one => new[]
        {
            Count(row.Events), one.Name, Ratio(one, row.Measurements[0]), Measurement.Format(one.Median), Count(one.MedianBytes / row.Events),
        })), texts: 2);
        foreach (var row in rows)
        {
            writer.Bars($"Append {Count(row.Events, "event", "events")}", $"time as a multiple of {row.Measurements[0].Name}", RatioBars(row.Measurements));
        }
    }

    private async Task WriteWriterAsync(bool fsync)
    {
        Progress("writer");
        var rows = await WriterComparison.RunAsync(scale, AllPeers.OtherWriter);
        WriteFiguresHeading("Write with CrawlEventWriter", fsync);
        writer.Paragraph(
            "The ratio is of throughputs, so higher is better. "
            + "Where each event is awaited, the baseline is single committed INSERTs by the same number of producers. "
            + $"Where no event is awaited, it is one binary COPY of all events. Rounds: {scale.WriterRounds}.");
        string[] columns = ["producers", "crawls", "events", "method", RatioColumn, "events/s", BytesColumn];
        writer.Table(columns, rows.SelectMany(row => row.Measurements.Select(one => new[]
        {
            $"{row.Producers}", $"{row.Crawls}", row.Awaited ? "awaited" : "not awaited", one.Name, Ratio(row.Measurements[0], one),
            Count(row.EventsPerSecond(one)), Count(one.MedianBytes / row.Events),
        })), texts: 4);
        foreach (var group in rows.GroupBy(row => (row.Awaited, row.Crawls)).OrderBy(group => !group.Key.Awaited))
        {
            WriteThroughput($"{(group.Key.Awaited ? "Each event awaited" : "No event awaited")}, {Count(group.Key.Crawls, "crawl", "crawls")}", [.. group]);
        }
    }

    private void WriteThroughput(string title, IReadOnlyList<WriterComparisonRow> rows) => writer.Lines(
        title,
        "producers",
        "events per second",
        [.. rows.Select(row => $"{row.Producers}")],
        [
            .. rows[0].Measurements.Take(3).Select((measurement, method) =>
            {
                double[] values = [.. rows.Select(row => Math.Round(row.EventsPerSecond(row.Measurements[method])))];
                return method switch
                {
                    0 => ChartSeries.Baseline(measurement.Name, values),
                    1 => ChartSeries.CrawlData(measurement.Name, values),
                    _ => ChartSeries.Other(measurement.Name, values),
                };
            }),
        ]);

    private async Task WriteFollowersAsync(bool fsync)
    {
        Progress("followers");
        var rows = await FollowLatency.RunAsync(scale);
        WriteFiguresHeading("Follow a crawl", fsync);
        writer.Paragraph(
            $"The latency from an event's commit to its delivery to the followers of its crawl. The {scale.FollowedEvents} events are 5 to 80 ms apart.");
        writer.Table(["followers", "method", "p50", "p99", "ratio of p99 to one follower"], rows.Select(row => new[]
        {
            $"{row.Followers}", row.Method, Measurement.Format(row.Latency.Quantile(0.5)), Measurement.Format(row.Latency.Quantile(0.99)),
            $"{row.Latency.Quantile(0.99) / rows.First(one => one.Method == row.Method).Latency.Quantile(0.99):0.00}",
        }), texts: 2);
        Progress("idle followers");
        writer.Paragraph(
            "Followers that get no event, with the default options: their statements and this process's processor time. "
            + $"The ratio is of the median time of an append of one event to a crawl that nobody follows, beside {Count(scale.BesideFollowers)} followers, "
            + $"to that of an append alone, in {scale.BesideRounds} turns.");
        writer.Table(["followers", "of", "statements a second", "share of a core", "append beside them"], (await FollowCost.RunAsync(scale)).Select(row => new[]
        {
            Count(row.Followers), row.Crawls == 0 ? "all crawls" : Count(row.Crawls, "crawl", "crawls"), $"{row.StatementsPerSecond:0.0}",
            $"{row.Processor:P1}", row.Appends is { } appends ? Ratio(appends.Beside, appends.Alone) : "",
        }), texts: 2);
    }

    private async Task WriteTransfersAsync(bool fsync)
    {
        Progress("imports and exports");
        const string title = "Import and export a crawl with the tool";
        if (await ToolTransfers.RunAsync(scale, AllPeers.Hello, AllPeers.OtherTools) is not { } result)
        {
            writer.Heading(2, title);
            writer.Paragraph("Not measured: this needs psql on this machine.");
            return;
        }

        WriteFiguresHeading(title, fsync);
        writer.Paragraph(
            $"Whole processes, and a recording of {Count(result.Events)} events, {result.Bytes / 1e6:0.0} MB. psql imports with COPY into a temporary table "
            + "and INSERT … SELECT, and exports with COPY of json_build_object. It checks nothing else. "
            + "The processor time is the process's, without the server's. "
            + $"Rounds: {scale.TransferRounds}.");
        foreach (var (name, measurements, processor) in new[]
        {
            ("import", result.Imports, result.ImportProcessor), ("export", result.Exports, result.ExportProcessor),
        })
        {
            writer.Table([name, RatioColumn, "median", "processor time per event"], measurements.Zip(processor, (one, time) => new[]
            {
                one.Name, Ratio(one, measurements[0]), Measurement.Format(one.Median),
                time is { } known ? $"{known.TotalMicroseconds / result.Events:0.0} µs" : "unknown",
            }));
        }

        if (result.Starts.Count > 0)
        {
            writer.Table(
                ["start", RatioColumn, "median"],
                result.Starts.Select(one => new[] { one.Name, Ratio(one, result.Starts[0]), Measurement.Format(one.Median) }));
        }
    }

    private async Task WriteGrowthAsync(bool fsync)
    {
        Progress("growth");
        const string title = "The same read from larger tables";
        var rows = await Growth.RunAsync(scale);
        WriteFiguresHeading(title, fsync);
        writer.Paragraph(
            $"The read is of one crawl's {Count(scale.EventsPerCrawl)} events, with a warm cache. A larger table has more crawls. "
            + $"Ratios are to the smallest table. Rounds: {scale.Rounds}.");
        writer.Table(["events in the table", "ratio, ListAsync", "ratio, by hand", "median, ListAsync", "median, by hand"], rows.Select(row => new[]
        {
            Count(row.Events), Ratio(row.List, rows[0].List), Ratio(row.ByHand, rows[0].ByHand),
            Measurement.Format(row.List.Median), Measurement.Format(row.ByHand.Median),
        }));
        writer.Lines(
            title,
            "events in the table",
            "milliseconds",
            [.. rows.Select(row => Count(row.Events))],
            ChartSeries.CrawlData(CrawlDataPeer.List, Milliseconds(rows.Select(row => row.List))),
            ChartSeries.Baseline(NpgsqlPeer.Reader, Milliseconds(rows.Select(row => row.ByHand))));
    }

    private async Task<string> WriteScaleAsync(long events)
    {
        var result = await Scale.RunAsync(scale, events, Progress);
        writer.Heading(1, $"A table of {Count(result.Larger)} events");
        await using (var database = await ThrowawayDatabase.StartAsync())
        {
            await WriteMachineAsync(database, await ServerFacts.ReadAsync(database.DataSource));
        }

        writer.Heading(2, $"Beside a table of {Count(result.Smaller)} events");
        writer.Paragraph(
            $"The larger table and its indexes have {result.Bytes / 1e9:0.0} GB. Each crawl has {Count(scale.EventsPerCrawl)} events. "
            + "The rounds on both tables took turns.");
        writer.Table(["operation", "ratio, larger to smaller", "median, smaller", "median, larger"], result.Rows.Select(row => new[]
        {
            row.Operation, Ratio(row.Larger, row.Smaller), Measurement.Format(row.Smaller.Median), Measurement.Format(row.Larger.Median),
        }));
        writer.Table(["part", "time"], result.Parts.Select(part => new[] { part.Part, $"{part.Time:hh\\:mm\\:ss}" }));
        var file = Path.Combine(options.Folder, "scale.md");
        await writer.SaveAsync(file);
        return file;
    }

    private async Task WriteColdReadsAsync()
    {
        Progress("cold reads");
        var title = $"Read one crawl's {Count(scale.EventsPerCrawl)} events with a cold cache";
        var results = new List<ColdReadsResult>();
        foreach (var size in scale.ColdTableSizes)
        {
            if (await ColdReads.RunAsync(scale, size, options.Fsync) is not { } result)
            {
                writer.Heading(2, title);
                writer.Paragraph("Not measured: this needs PostgreSQL's server programs on this machine, to restart a server.");
                return;
            }

            results.Add(result);
        }

        WriteFiguresHeading(title, results[0].Fsync);
        var pageCache = results.All(result => result.PageCacheDropped) ? "is dropped" : "**is not dropped, since this process may not do that**";
        writer.Paragraph(
            $"Before each ListAsync, the server is restarted, the system's page cache {pageCache}, and the server answers a query for a crawl without events. "
            + $"The server generated the rows of the single INSERTs in their order; the writer wrote its rows. Rounds: {scale.ColdRounds}.");
        writer.Table(["events in the table", "events written by", RatioColumn, "median", "pages with the crawl's events"], results.SelectMany(result =>
            result.Measurements.Select((one, index) => new[]
            {
                Count(result.Events), one.Name, Ratio(one, result.Measurements[0]), Measurement.Format(one.Median), Count(result.Pages[index]),
            })), texts: 2);
        foreach (var result in results)
        {
            writer.Bars(
                $"One crawl out of {Count(result.Events)} events",
                "milliseconds",
                [.. result.Measurements.Select(one => one.Name).Zip(Milliseconds(result.Measurements))]);
        }
    }

    private async Task WriteProfileAsync(bool fsync)
    {
        Progress("profile");
        var profile = await Profile.RunAsync(scale);
        WriteFiguresHeading("Steps of a read and of an append", fsync);
        writer.Paragraph(
            $"{Count(scale.EventsPerCrawl)} events, with a warm cache. The time of a line includes the steps of the lines before it. "
            + "The server writes what it reads to /dev/null. "
            + "The difference between the last two lines is the client's share; part of it overlaps the server's work.");
        foreach (var (title, steps, plan) in new[] { ("Read", profile.Read, profile.ReadPlan), ("Append", profile.Append, profile.AppendPlan) })
        {
            writer.Table(
                [title, "share of the whole", "median"],
                steps.Select(one => new[] { one.Name, Ratio(one, steps[^1]), Measurement.Format(one.Median) }));
            writer.Code(plan);
        }

        writer.Paragraph(
            "The next table is of single events. AppendAsync adds two things to an INSERT: a round trip for a COMMIT of its own, and the crawl's lock. "
            + "The COMMIT is separate because only a transaction with a known id can be verified. "
            + "Both weigh less with more events per append, and with a disk that is slower to commit.");
        writer.Table(["Append one event", RatioColumn, "median"], profile.Single.Select(one =>
            new[] { one.Name, Ratio(one, profile.Single[0]), Measurement.Format(one.Median / profile.SingleAppends) }));
        writer.Paragraph("These alternatives were measured and rejected, because they gained too little:");
        writer.List(
            "A simpler statement than the CTE that locks the row: no difference.",
            "Returning the reserved ids as the first and the last one: a small gain, and only without concurrent appends.",
            "Using COPY from a smaller number of events: no difference.",
            "LOCK TABLE instead of the empty INSERT that locks the table: no difference.");
        writer.Paragraph("These changes helped:");
        writer.List(
            "Writing times as the integers of the COPY format, because a DateTime is boxed for each row.",
            "Using one string for all events of a type.",
            "Appending the events of one crawl without a list of pairs.");
    }
}
