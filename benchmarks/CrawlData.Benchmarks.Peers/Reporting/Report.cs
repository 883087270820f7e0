using System.Runtime.InteropServices;
using CrawlData.Benchmarks.Crawls;
using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Benchmarks.Peers.Measurements;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>Measures everything, and writes down what was measured.</summary>
internal sealed class Report(Extent extent, string folder, string command, bool quick)
{
    private const string Floor = "the floor";

    private const string NoMarten =
        "**Marten.** Its figures were not taken in this run: it is built in with `-p:WithMarten=true`, where the registry has all that it needs.";

    private readonly ReportWriter writer = new(folder);

    public async Task RunAsync()
    {
        Directory.CreateDirectory(folder);
        writer.Heading(1, "CrawlData beside others");
        if (quick)
        {
            writer.Paragraph("**A smoke test: everything ran, on so few events and in so few rounds that its figures say nothing.**");
        }

        writer.Paragraph(
            "Ratios are of medians of runs in turns, each round in another order, so what the machine does meanwhile falls on all; "
            + "they can be trusted where absolute times cannot. Less is better, unless it is events in a second.");
        await WriteMachineAsync();
        await WriteReadsAsync();
        await WriteAppendsAsync();
        await WriteWriterAsync();
        await WriteFollowersAsync();
        await WriteGrowthAsync();
        await WriteColdReadsAsync();
        await WriteProfileAsync();
        await writer.SaveAsync();
    }

    private static void Progress(string step) => Console.WriteLine($"{TimeProvider.System.GetUtcNow():HH:mm:ss} {step}");

    private static string Ratio(Measured one, Measured floor) => $"{one.Median / floor.Median:0.00}";

    private static ChartBar RatioBar(Measured one, Measured floor) =>
        new(one.Name, one.Median / floor.Median, $"{Ratio(one, floor)}× ({Measured.Format(one.Median)})");

    private static string Count(double count) => count.ToString("N0", System.Globalization.CultureInfo.InvariantCulture);

    private static ChartBar ThroughputBar(Measured one, WriterRow row) =>
        new(one.Name, row.EventsPerSecond(one), $"{Count(row.EventsPerSecond(one))} ({Ratio(row.Measured[0], one)}×)");

    private async Task WriteMachineAsync()
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var (version, settings) = await Machine.ServerAsync(database.DataSource);
        var peers = AllPeers.Of(database.DataSource);
        writer.Heading(2, "Where, with what, and how again");
        writer.Table(["what", "value"],
        [
            ["date", $"{TimeProvider.System.GetUtcNow():yyyy-MM-dd HH:mm} UTC"],
            ["processor", Machine.Processor],
            ["cores", $"{Environment.ProcessorCount}, shared by the server and what is measured"],
            ["memory", Machine.Memory],
            ["operating system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}"],
            ["PostgreSQL", $"{version}; {settings}"],
            [".NET", Environment.Version.ToString()],
            .. peers.SelectMany(peer => peer.Packages).DistinctBy(type => type.Assembly)
                .Select(type => new[] { type.Assembly.GetName().Name!, Machine.VersionOf(type) }),
        ], texts: 2);
        writer.Code(command);
        writer.Heading(2, "Who is compared");
        writer.Paragraph(
            "Each as its own documentation recommends, with the same events and, but for Marten, in the same tables. "
            + "What each does more or less than the others:");
        writer.List(
        [
            .. peers.Select(peer => $"**{peer.Name}.** {peer.Difference}"),
            .. AllPeers.WithMarten ? Array.Empty<string>() : [NoMarten],
        ]);
        foreach (var peer in peers)
        {
            await peer.DisposeAsync();
        }
    }

    private async Task WriteReadsAsync()
    {
        Progress("reads");
        var title = $"Read {Count(extent.EventsPerCrawl)} events of one crawl among {Count(extent.Events)} of {extent.Crawls} crawls";
        var measured = await Reads.RunAsync(extent);
        writer.Heading(2, title);
        writer.Paragraph($"Warm, beside Npgsql by hand; rounds: {extent.Rounds}.");
        writer.Table(["way", $"ratio to {Floor}", "median", "bytes allocated an event"], measured.Select(one =>
            new[] { one.Name, Ratio(one, measured[0]), Measured.Format(one.Median), Count(one.MedianBytes / extent.EventsPerCrawl) }));
        await writer.ChartAsync("reads.svg", title, Charts.Bars(title, $"time, as a multiple of {measured[0].Name}", [ToGroup("", measured)], mark: 1));
    }

    private async Task WriteAppendsAsync()
    {
        Progress("appends");
        const string title = "Append in one committed transaction";
        var rows = await Appends.RunAsync(extent);
        writer.Heading(2, title);
        writer.Paragraph(
            "Beside a plain INSERT by hand where there is one event, and otherwise beside a binary COPY by hand, which gives no ids back; "
            + $"rounds: {extent.AppendRounds}. "
            + "All but the ways that say so give the ids back.");
        writer.Table(["events", "way", $"ratio to {Floor}", "median", "bytes allocated an event"], rows.SelectMany(row => row.Measured.Select(one =>
            new[] { Count(row.Events), one.Name, Ratio(one, row.Measured[0]), Measured.Format(one.Median), Count(one.MedianBytes / row.Events) })), texts: 2);
        await writer.ChartAsync("appends.svg", title, Charts.Bars(title, $"time, as a multiple of {Floor}, which each group begins with",
            [.. rows.Select(row => ToGroup($"{Count(row.Events)} {(row.Events == 1 ? "event" : "events")}", row.Measured))], mark: 1));
    }

    private async Task WriteWriterAsync()
    {
        Progress("writer");
        var rows = await WriterComparison.RunAsync(extent.WriterRounds, extent.WriterAwaited, extent.WriterUnawaited);
        writer.Heading(2, "CrawlEventWriter");
        writer.Paragraph(
            "Throughput beside as many producers' single committed INSERTs, where each event is awaited, "
            + $"and beside one binary COPY of all events, where none is; rounds: {extent.WriterRounds}. "
            + "The ratio is of throughputs: more is better.");
        string[] columns = ["producers", "crawls", "events", "way", $"ratio to {Floor}", "events/s", "bytes allocated an event"];
        writer.Table(columns, rows.SelectMany(row => row.Measured.Select(one => new[]
        {
            $"{row.Producers}", $"{row.Crawls}", row.Awaited ? "awaited" : "not awaited", one.Name, Ratio(row.Measured[0], one),
            Count(row.EventsPerSecond(one)), Count(one.MedianBytes / row.Events),
        })), texts: 4);
        await WriteThroughputAsync("writer-awaited.svg", "Each event awaited, beside single committed INSERTs", [.. rows.Where(row => row.Awaited)]);
        await WriteThroughputAsync("writer-unawaited.svg", "No event awaited, beside one COPY", [.. rows.Where(row => !row.Awaited)]);
    }

    private Task WriteThroughputAsync(string file, string title, IReadOnlyList<WriterRow> rows) =>
        writer.ChartAsync(file, title, Charts.Bars(title, "events a second, more is better",
        [
            .. rows.Select(row => new ChartGroup(
                $"{row.Producers} {(row.Producers == 1 ? "producer" : "producers")}, {row.Crawls} {(row.Crawls == 1 ? "crawl" : "crawls")}",
                [.. row.Measured.Select(one => ThroughputBar(one, row))])),
        ]));

    private async Task WriteFollowersAsync()
    {
        Progress("followers");
        var rows = await FollowLatency.RunAsync(extent.FollowedEvents);
        writer.Heading(2, "Following");
        writer.Paragraph($"From the commit of an event to its delivery to those who follow its crawl, over {extent.FollowedEvents} events, 5 to 80 ms apart.");
        writer.Table(["followers", "way", "p50", "p99"], rows.Select(row =>
            new[] { $"{row.Followers}", row.Way, Measured.Format(row.Latency.Quantile(0.5)), Measured.Format(row.Latency.Quantile(0.99)) }), texts: 2);
    }

    private async Task WriteGrowthAsync()
    {
        Progress("growth");
        const string title = "The same read, as the table grows";
        var rows = await Growth.RunAsync(extent);
        writer.Heading(2, title);
        writer.Paragraph(
            $"{Count(extent.EventsPerCrawl)} events of one crawl, warm, from tables of more and more crawls, in turns; rounds: {extent.Rounds}. "
            + "Ratios are to the smallest table.");
        writer.Table(["events in the table", "ratio, ListAsync", "ratio, by hand", "median, ListAsync", "median, by hand"], rows.Select(row => new[]
        {
            Count(row.Events), Ratio(row.List, rows[0].List), Ratio(row.ByHand, rows[0].ByHand),
            Measured.Format(row.List.Median), Measured.Format(row.ByHand.Median),
        }));
        await writer.ChartAsync("growth.svg", title, Charts.Lines(
            title, "events in the table", $"milliseconds to read {Count(extent.EventsPerCrawl)} events", [.. rows.Select(row => Count(row.Events))],
            [
                new(CrawlDataPeer.List, [.. rows.Select(row => row.List.Median.TotalMilliseconds)]),
                new(NpgsqlPeer.Reader, [.. rows.Select(row => row.ByHand.Median.TotalMilliseconds)]),
            ], value => Measured.Format(TimeSpan.FromMilliseconds(value))));
    }

    private async Task WriteColdReadsAsync()
    {
        Progress("cold reads");
        var title = $"Cold: read {Count(extent.EventsPerCrawl)} events of one crawl";
        writer.Heading(2, title);
        var results = new List<ColdResult>();
        foreach (var size in extent.Cold)
        {
            if (await ColdReads.RunAsync(extent, size) is not { } result)
            {
                writer.Paragraph("Not taken: it needs PostgreSQL's server programs on this machine, to restart a server of its own.");
                return;
            }

            results.Add(result);
        }

        var pageCache = results.All(result => result.PageCacheDropped) ? "dropped" : "**as it was, since it could not be dropped here**";
        writer.Paragraph(
            $"ListAsync from a server that has just been restarted, with the system's page cache {pageCache}, "
            + $"and has answered a query for a crawl without events; rounds: {extent.ColdRounds}. "
            + "What single INSERTs in turns would write was laid down in that order by the server; what the writer writes, it wrote.");
        writer.Table(["events in the table", "events written by", "ratio", "median", "pages that hold them"], results.SelectMany(result =>
            result.Measured.Select((one, index) => new[]
            {
                Count(result.Events), one.Name, Ratio(one, result.Measured[0]), Measured.Format(one.Median), Count(result.Pages[index]),
            })), texts: 2);
        await writer.ChartAsync("cold-reads.svg", title, Charts.Bars(title, "milliseconds",
        [
            .. results.Select(result => new ChartGroup(
                $"among {Count(result.Events)}",
                [
                    .. result.Measured.Select((one, index) =>
                        new ChartBar(one.Name, one.Median.TotalMilliseconds, $"{Measured.Format(one.Median)}, {Count(result.Pages[index])} pages")),
                ])),
        ]));
    }

    private async Task WriteProfileAsync()
    {
        Progress("profile");
        var profile = await Profile.RunAsync(extent);
        writer.Heading(2, "Where the time goes");
        writer.Paragraph(
            $"{Count(extent.EventsPerCrawl)} events, warm, each line with what the lines before it do; the server's own work ends in /dev/null. "
            + "What is left to the client is the difference of the last two lines, and part of it goes on at the same time.");
        foreach (var (title, parts, plan) in new[] { ("Read", profile.Read, profile.ReadPlan), ("Append", profile.Append, profile.AppendPlan) })
        {
            writer.Table([title, "of the whole", "median"], parts.Select(one => new[] { one.Name, Ratio(one, parts[^1]), Measured.Format(one.Median) }));
            writer.Code(plan);
        }

        writer.Paragraph(
            "One event at a time. What an append has beyond an INSERT is a round trip for a COMMIT of its own, since only a transaction whose id is known can be settled, "
            + "and the crawl's lock; it weighs the less the more events share it, or the longer the server's disk takes for a commit.");
        writer.Table(["Append one", "ratio", "median"], profile.Single.Select(one =>
            new[] { one.Name, Ratio(one, profile.Single[0]), Measured.Format(one.Median / profile.Singles) }));
        writer.Paragraph(
            "Tried, and left out, since it did not help or was not worth what it cost: a simpler statement than the CTE that takes the row's lock (no difference); "
            + "giving the reserved ids back as their first and last (a little, and only while nobody else appends); a lower limit from which COPY is used (a tie); "
            + "LOCK TABLE instead of the empty insert that takes the table's lock (a tie). What helped: times written as the integers that COPY has (a DateTime is put on "
            + "the heap for each row), one string for each event type that repeats, and no list of pairs for the events of one crawl.");
    }

    private static ChartGroup ToGroup(string title, IReadOnlyList<Measured> measured) => new(title, [.. measured.Select(one => RatioBar(one, measured[0]))]);
}
