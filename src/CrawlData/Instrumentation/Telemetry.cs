using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using Npgsql;

namespace CrawlData.Diagnostics;

/// <summary>What the library tells of its work on a table: spans and measurements, after OpenTelemetry's conventions for databases. None holds a payload, a URL or the
/// text of an error.</summary>
internal sealed class Telemetry
{
    private const string Name = "CrawlData";

    private static readonly string? Version = typeof(Telemetry).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];

    private static readonly ActivitySource Activities = new(Name, Version);

    private static readonly Meter Meter = new(Name, Version);

    private static readonly InstrumentAdvice<double> Seconds = new() { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };

    private static readonly InstrumentAdvice<long> Sizes = new() { HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000] };

    private static readonly Histogram<double> OperationDuration = Meter.CreateHistogram(
        "crawldata.operation.duration", "s", "How long appends, flushes, claims, releases, sweeps and deletions take, retries included.", advice: Seconds);

    private static readonly Histogram<long> BatchSize = Meter.CreateHistogram("crawldata.append.batch_size", "{row}", "Rows in an append.", advice: Sizes);

    private static readonly Counter<long> AppendedRows = Meter.CreateCounter<long>("crawldata.append.rows", "{row}", "Rows appended.");

    private static readonly Counter<long> UnknownOutcomes = Meter.CreateCounter<long>(
        "crawldata.append.unknown_outcomes", "{append}", "Appends of which nobody could say whether they are stored.");

    private static readonly Counter<long> Retries = Meter.CreateCounter<long>("crawldata.retries", "{retry}", "Times that something was tried again.");

    private static readonly UpDownCounter<long> QueueDepth = Meter.CreateUpDownCounter<long>(
        "crawldata.writer.queue_depth", "{event}", "Events in writers' buffers, those that are being flushed included.");

    private static readonly UpDownCounter<long> UnstoredEvents = Meter.CreateUpDownCounter<long>(
        "crawldata.writer.unstored", "{event}", "Events that could not be stored and that nobody has taken.");

    private static readonly Counter<long> FollowedEvents = Meter.CreateCounter<long>("crawldata.follow.events", "{event}", "Events given to those who follow.");

    private static readonly Histogram<double> FollowLag = Meter.CreateHistogram(
        "crawldata.follow.lag", "s", "From the created_at of each read's newest event to its being read by one who follows, by this process's clock.", advice: Seconds);

    private static readonly Counter<long> SessionClaims = Meter.CreateCounter<long>("crawldata.claims", "{claim}", "Claims of sessions, those that found none included.");

    private static readonly Counter<long> ReleasedSessions = Meter.CreateCounter<long>(
        "crawldata.released_sessions", "{session}", "Sessions that were taken from abandoned attempts.");

    private static readonly Counter<long> SweptArtifacts = Meter.CreateCounter<long>("crawldata.sweep.artifacts", "{artifact}", "Expired artifacts handed to deleters.");

    private static readonly Counter<long> DeletedRows = Meter.CreateCounter<long>(
        "crawldata.deletion.rows", "{row}", "Rows deleted by clean-ups, those below sessions and crawls included.");

    private readonly string table;
    private readonly TagList tags;
    private readonly TagList serverTags;

    public Telemetry(NpgsqlDataSource dataSource, string table)
    {
        this.table = table;
        var settings = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString);
        tags = new() { { "db.collection.name", table }, { "db.namespace", settings.Database ?? settings.Username } };
        serverTags = new() { { "db.system.name", "postgresql" }, { "server.address", settings.Host }, { "server.port", settings.Port } };
    }

    public string Table => table;

    /// <summary>What went wrong, without what was said about it: the SQLSTATE of an error of the server, otherwise the exception's type.</summary>
    public static string ErrorType(Exception exception) => exception switch
    {
        PostgresException server => server.SqlState,
        NpgsqlException { InnerException: { } cause } => cause.GetType().FullName!,
        _ => exception.GetType().FullName!,
    };

    /// <summary>Works within a span, and measures how long it takes.</summary>
    /// <param name="operation">What is done, in a word.</param>
    /// <param name="rows">To how many rows, where that is known before; otherwise 0.</param>
    /// <param name="work">Does it.</param>
    public Task<T> RunAsync<T>(string operation, int rows, Func<Task<T>> work) =>
        Activities.HasListeners() || OperationDuration.Enabled ? ObserveAsync(operation, rows, work) : work();

    public void Appended(long rows)
    {
        AppendedRows.Add(rows, tags);
        BatchSize.Record(rows, tags);
    }

    public void OutcomeUnknown() => UnknownOutcomes.Add(1, tags);

    public void Retrying(string error) => Retries.Add(1, With("error.type", error));

    public void Queued(int events) => QueueDepth.Add(events, tags);

    public void Unstored(int events) => UnstoredEvents.Add(events, tags);

    public void Followed(int events, DateTimeOffset newest)
    {
        FollowedEvents.Add(events, tags);
        FollowLag.Record(Math.Max(0, (DateTimeOffset.UtcNow - newest).TotalSeconds), tags);
    }

    public void Claimed(bool any) => SessionClaims.Add(1, With("crawldata.claimed", any));

    public void Released(string status) => ReleasedSessions.Add(1, With("crawldata.session.status", status));

    public void Swept(int artifacts, bool deleted) => SweptArtifacts.Add(artifacts, With("crawldata.deleted", deleted));

    public void Deleted(long rows) => DeletedRows.Add(rows, tags);

    private async Task<T> ObserveAsync<T>(string operation, int rows, Func<Task<T>> work)
    {
        var measured = With("db.operation.name", operation);
        using var activity = Activities.StartActivity($"{operation} {table}", ActivityKind.Client, parentContext: default, [.. measured, .. serverTags]);
        if (rows > 1)
        {
            activity?.SetTag("db.operation.batch.size", rows);
        }

        var started = Stopwatch.GetTimestamp();
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            var error = ErrorType(exception);
            measured.Add("error.type", error);
            activity?.SetTag("error.type", error).SetStatus(ActivityStatusCode.Error);
            if (exception is PostgresException)
            {
                activity?.SetTag("db.response.status_code", error);
            }

            throw;
        }
        finally
        {
            OperationDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, measured);
        }
    }

    private TagList With(string key, object? value)
    {
        var more = tags;
        more.Add(key, value);
        return more;
    }
}
