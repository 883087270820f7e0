using System.Globalization;
using CrawlData.Benchmarks.Crawls;
using CrawlData.Benchmarks.Tool;
using CrawlData.Crawls;

namespace CrawlData.Benchmarks;

/// <summary>Checks performance limits on a table of 1,000,000 events. It reads and appends 10,000 events of one crawl. The append's baseline is a binary COPY
/// without ids in the same rounds. It also counts the statements of idle followers, and compares the tool's imports and exports with those of psql.</summary>
public static class Gate
{
    private const double ReadP95Milliseconds = 100;
    private const double ReadBytesPerEvent = 460;
    private const double AppendBytesPerEvent = 50;
    private const double AppendOneBytes = 3_300;
    private const double AppendHundredBytesPerEvent = 70;

    // Ratios, because machines differ more than a regression would show. The p95 of 30 rounds is nearly their maximum, so its limit is wider.
    private const double AppendMedianRatio = 1.10;
    private const double AppendP95Ratio = 1.50;

    private const int IdleFollowers = 200;
    private const double IdleStatementsPerSecond = 10;

    private const double ImportRatio = 1.6;
    private const double ExportRatio = 1.5;

    private const int ReadRounds = 100;
    private const int AppendRounds = 30;
    private const int Repetitions = 20;

    /// <returns>The exit code: 1 when a limit is exceeded.</returns>
    public static async Task<int> RunAsync()
    {
        var (crawlCount, eventCount) = (BenchmarkScale.Full.Crawls, BenchmarkScale.Full.EventsPerCrawl);
        Console.WriteLine($"Seeding {crawlCount} crawls of {eventCount:N0} events each.");
        await using var database = await Seed.StartDatabaseAsync(crawlCount, eventCount);
        var repository = new CrawlEventRepository(database.DataSource);
        var crawls = (await new CrawlRunRepository(database.DataSource).ListAsync(pageSize: crawlCount)).Items;
        var reads = 0;
        var appends = 0;
        var events = SampleData.MakeEvents(eventCount);

        var read = (await new InterleavedRounds()
            .Add("read, ListAsync", async () => RowCount.Require(
                eventCount, (await repository.ListAsync(crawls[reads++ % crawlCount].Id, pageSize: eventCount)).Items.Count))
            .RunAsync(ReadRounds))[0];
        var appended = await new InterleavedRounds()
            .Add("append, COPY by hand without ids", () => HandWritten.CopyEventsInAsync(database.DataSource, events, crawls[appends++ % crawlCount].Id))
            .Add("append, AppendAsync with ids", () => repository.AppendAsync(crawls[appends++ % crawlCount].Id, events))
            .RunAsync(AppendRounds);
        var (baseline, append) = (appended[0], appended[1]);

        var single = await MeasureAppendAsync(1);
        var hundred = await MeasureAppendAsync(100);
        var idle = await FollowCost.CountStatementsAsync(database, IdleFollowers);

        var transfers = await ToolTransfers.RunAsync(BenchmarkScale.Full);

        Print(read, eventCount);
        Print(baseline, eventCount);
        Print(append, eventCount);
        bool[] passed =
        [
            Check("read, p95 in ms", read.Quantile(0.95).TotalMilliseconds, ReadP95Milliseconds),
            Check("read, bytes allocated per event", BytesPerEvent(read, eventCount), ReadBytesPerEvent),
            Check("append, ratio of medians to COPY", append.Median / baseline.Median, AppendMedianRatio),
            Check("append, ratio of p95 to COPY", append.Quantile(0.95) / baseline.Quantile(0.95), AppendP95Ratio),
            Check("append, bytes allocated per event", BytesPerEvent(append, eventCount), AppendBytesPerEvent),
            Check("append of one event, bytes allocated", single, AppendOneBytes),
            Check("append of 100 events, bytes allocated per event", hundred, AppendHundredBytesPerEvent),
            Check($"statements a second of {IdleFollowers} idle followers", idle, IdleStatementsPerSecond),
            transfers is null
                ? Fail("import and export: this machine has no psql")
                : Check("import, ratio to psql", transfers.Imports[1].Median / transfers.Imports[0].Median, ImportRatio)
                    & Check("export, ratio to psql", transfers.Exports[1].Median / transfers.Exports[0].Median, ExportRatio),
        ];
        return passed.All(one => one) ? 0 : 1;

        async Task<double> MeasureAppendAsync(int count)
        {
            var batch = events[..count];
            var measured = await new InterleavedRounds()
                .Add($"append of {count}", () => RepeatAsync(() =>
                    count == 1 ? repository.AppendAsync(crawls[0].Id, batch[0]) : repository.AppendAsync(crawls[0].Id, batch)))
                .RunAsync(AppendRounds);
            return (double)measured[0].MedianBytes / count / Repetitions;
        }
    }

    private static async Task RepeatAsync(Func<Task> work)
    {
        for (var repetition = 0; repetition < Repetitions; repetition++)
        {
            await work();
        }
    }

    private static double BytesPerEvent(Measurement measurement, int events) => (double)measurement.MedianBytes / events;

    private static void Print(Measurement measurement, int events) => Console.WriteLine(
        $"{measurement.Name,-32} median {Measurement.Format(measurement.Median),9}, p95 {Measurement.Format(measurement.Quantile(0.95)),9}, "
        + $"p99 {Measurement.Format(measurement.Quantile(0.99)),9}, {Format(BytesPerEvent(measurement, events))} bytes per event");

    private static bool Check(string name, double value, double limit)
    {
        var passed = value <= limit;
        Console.WriteLine($"{(passed ? "ok" : "FAILED"),-6} {name}: {Format(value)}, at most {Format(limit)}");
        return passed;
    }

    private static bool Fail(string reason)
    {
        Console.WriteLine($"FAILED {reason}");
        return false;
    }

    private static string Format(double value) => value.ToString(value < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture);
}
