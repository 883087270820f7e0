using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using static CrawlData.Instrumentation.GuardedInstruments;

namespace CrawlData.Instrumentation;

/// <summary>The activity source and the meter of the library, both named <c>CrawlData</c>, and their instruments. Each is null when a
/// listener's exception prevented its creation.</summary>
internal static class Instruments
{
    private const string Name = "CrawlData";

    private static readonly string? Version =
        typeof(Instruments).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];

    public static readonly ActivitySource? Activities = TryCreate(() => new ActivitySource(Name, Version));

    private static readonly Meter Meter = new(Name, Version);

    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    };

    private static readonly InstrumentAdvice<long> Sizes = new()
    {
        HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000],
    };

    public static readonly Histogram<double>? OperationDuration = TryCreate(() => Meter.CreateHistogram(
        "crawldata.operation.duration",
        "s",
        "Duration of appends, flushes, claims, heartbeats, rescues, retries of runs, sweeps and purges, including retries after errors.",
        advice: Seconds));

    public static readonly Histogram<long>? BatchSize = TryCreate(() => Meter.CreateHistogram(
        "crawldata.append.batch_size", "{row}", "Rows in one append.", advice: Sizes));

    public static readonly Counter<long>? AppendedRows = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.append.rows", "{row}", "Rows appended."));

    public static readonly Counter<long>? UnknownOutcomes = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.append.unknown_outcomes", "{append}", "Appends whose outcome could not be verified."));

    public static readonly Counter<long>? Retries = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.retries", "{retry}", "Retries after transient errors."));

    public static readonly UpDownCounter<long>? QueueDepth = TryCreate(() => Meter.CreateUpDownCounter<long>(
        "crawldata.writer.queue_depth", "{event}", "Events in writers' buffers and in running flushes."));

    public static readonly UpDownCounter<long>? UnstoredEvents = TryCreate(() => Meter.CreateUpDownCounter<long>(
        "crawldata.writer.unstored", "{event}", "Events that could not be stored, and are not taken yet."));

    public static readonly Gauge<double>? WriterRetryDuration = TryCreate(() => Meter.CreateGauge<double>(
        "crawldata.writer.retry_duration", "s", "How long a writer has been retrying; 0 when it stored events, or gave up."));

    public static readonly Counter<long>? FollowedEvents = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.follow.events", "{event}", "Events that followers read."));

    public static readonly Histogram<double>? FollowLag = TryCreate(() => Meter.CreateHistogram(
        "crawldata.follow.lag", "s", "Time from the newest event's created_at to a follower's read, by this process's clock.", advice: Seconds));

    public static readonly Counter<long>? UnreadableRows = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.unreadable_rows", "{row}", "Rows passed over, because this version cannot read them."));

    public static readonly Counter<long>? Claims = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.claims", "{claim}", "Claims of runs and sessions, including claims that found an empty queue."));

    public static readonly Counter<long>? FailedStaleRuns = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.failed_stale_runs", "{run}", "Runs failed because they had no sign of life."));

    public static readonly Counter<long>? RescuedSessions = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.rescued_sessions", "{session}", "Sessions rescued from stale attempts."));

    public static readonly Counter<long>? SweptArtifacts = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.sweep.artifacts", "{artifact}", "Expired artifacts passed to stores."));

    public static readonly Counter<long>? PurgedRows = TryCreate(() => Meter.CreateCounter<long>(
        "crawldata.purge.rows", "{row}", "Rows that purges deleted, including rows below sessions and crawls."));
}
