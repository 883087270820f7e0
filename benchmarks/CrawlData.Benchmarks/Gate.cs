using System.Globalization;
using CrawlData.Crawls;

namespace CrawlData.Benchmarks;

/// <summary>The limits that the library keeps with 1,000,000 events: reading a crawl's 10,000 events, and appending as many with their ids, beside binary COPY
/// without ids in the same run.</summary>
public static class Gate
{
    private const double ReadP95Milliseconds = 100;
    private const double ReadBytesPerEvent = 460;
    private const double AppendBytesPerEvent = 50;

    // Relative, since machines differ by more than what is to be found out. The p95 of so few rounds is nearly the slowest of them: hence the wider limit.
    private const double AppendMedianOfFloor = 1.10;
    private const double AppendP95OfFloor = 1.50;

    private const int Crawls = 100;
    private const int EventsPerCrawl = 10_000;
    private const int Reads = 100;
    private const int Appends = 30;

    /// <returns>The exit code: 1 when a limit is exceeded.</returns>
    public static async Task<int> RunAsync()
    {
        Console.WriteLine($"Seeding {Crawls} crawls of {EventsPerCrawl:N0} events each.");
        await using var database = await Seed.EventsAsync(Crawls, EventsPerCrawl);
        var repository = new CrawlEventRepository(database.DataSource);
        var crawls = (await new CrawlRunRepository(database.DataSource).ListAsync(pageSize: Crawls)).Items;
        var reads = 0;
        var appends = 0;
        var events = DatabaseBenchmark.MakeEvents(EventsPerCrawl);

        var read = (await new Interleaved().Add("read, ListAsync", async () => DatabaseBenchmark.Require(
            EventsPerCrawl, (await repository.ListAsync(crawls[reads++ % Crawls].Id, pageSize: EventsPerCrawl)).Items.Count)).RunAsync(Reads))[0];
        var appended = await new Interleaved()
            .Add("append, COPY by hand without ids", () => HandWritten.CopyAsync(database.DataSource, events, crawls[appends++ % Crawls].Id))
            .Add("append, AppendAsync with ids", () => repository.AppendAsync(crawls[appends++ % Crawls].Id, events))
            .RunAsync(Appends);
        var (floor, append) = (appended[0], appended[1]);

        Print(read);
        Print(floor);
        Print(append);
        bool[] passed =
        [
            Check("read, p95 in ms", read.Quantile(0.95).TotalMilliseconds, ReadP95Milliseconds),
            Check("read, bytes allocated an event", BytesPerEvent(read), ReadBytesPerEvent),
            Check("append, median as a ratio to COPY's", append.Median / floor.Median, AppendMedianOfFloor),
            Check("append, p95 as a ratio to COPY's", append.Quantile(0.95) / floor.Quantile(0.95), AppendP95OfFloor),
            Check("append, bytes allocated an event", BytesPerEvent(append), AppendBytesPerEvent),
        ];
        return passed.All(one => one) ? 0 : 1;
    }

    private static double BytesPerEvent(Measured measured) => (double)measured.MedianBytes / EventsPerCrawl;

    private static void Print(Measured measured) => Console.WriteLine(
        $"{measured.Name,-32} median {Measured.Format(measured.Median),9}, p95 {Measured.Format(measured.Quantile(0.95)),9}, " +
        $"p99 {Measured.Format(measured.Quantile(0.99)),9}, {Format(BytesPerEvent(measured))} bytes an event");

    private static bool Check(string what, double figure, double limit)
    {
        var passed = figure <= limit;
        Console.WriteLine($"{(passed ? "ok" : "FAILED"),-6} {what}: {Format(figure)}, at most {Format(limit)}");
        return passed;
    }

    private static string Format(double figure) => figure.ToString(figure < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture);
}
