using System.Diagnostics;
using Npgsql;

namespace CrawlData.Instrumentation;

/// <summary>Records spans and metrics of the library's work on a table. They follow OpenTelemetry's conventions for databases. They hold no payload, no URL,
/// and no text of an error.</summary>
internal sealed class Telemetry
{
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

    private static bool IsObserved => Instruments.Activities?.HasListeners() == true || Instruments.OperationDuration?.Enabled == true;

    /// <summary>Names an error without its text: by the SQLSTATE of a server's error, otherwise by the exception's type.</summary>
    public static string ErrorType(Exception exception) => exception switch
    {
        PostgresException server => server.SqlState,
        NpgsqlException { InnerException: { } cause } => cause.GetType().FullName!,
        _ => exception.GetType().FullName!,
    };

    /// <summary>Runs work in a span, and measures its duration.</summary>
    /// <param name="operation">The operation's name, one word.</param>
    /// <param name="rows">The number of rows; 0 when it is not known beforehand.</param>
    /// <param name="work">The work.</param>
    public Task<T> RunAsync<T>(string operation, int rows, Func<Task<T>> work) => IsObserved ? ObserveAsync(operation, rows, work) : work();

    /// <summary>As above, and makes no delegate while nobody listens.</summary>
    /// <param name="operation">The operation's name, one word.</param>
    /// <param name="rows">The number of rows; 0 when it is not known beforehand.</param>
    /// <param name="arguments">The work's arguments.</param>
    /// <param name="work">The work, a static function.</param>
    public ValueTask<T> RunAsync<TArguments, T>(string operation, int rows, TArguments arguments, Func<TArguments, ValueTask<T>> work)
    {
        return IsObserved ? Observed(operation, rows, arguments, work) : work(arguments);

        ValueTask<T> Observed(string operation, int rows, TArguments arguments, Func<TArguments, ValueTask<T>> work) =>
            new(ObserveAsync(operation, rows, () => work(arguments).AsTask()));
    }

    public void Appended(long rows)
    {
        Instruments.AppendedRows.TryAdd(rows, tags);
        Instruments.BatchSize.TryRecord(rows, tags);
    }

    public void OutcomeUnknown() => Instruments.UnknownOutcomes.TryAdd(1, tags);

    public void Retrying(string error) => Instruments.Retries.TryAdd(1, With("error.type", error));

    public void Queued(int events) => Instruments.QueueDepth.TryAdd(events, tags);

    public void Unstored(int events) => Instruments.UnstoredEvents.TryAdd(events, tags);

    public void WriterRetries(TimeSpan elapsed) => Instruments.WriterRetryDuration.TryRecord(elapsed.TotalSeconds, tags);

    public void Followed(int events, TimeSpan lag)
    {
        Instruments.FollowedEvents.TryAdd(events, tags);
        Instruments.FollowLag.TryRecord(Math.Max(0, lag.TotalSeconds), tags);
    }

    public void Claimed(bool any) => Instruments.Claims.TryAdd(1, With("crawldata.claimed", any));

    public void StaleRunFailed() => Instruments.FailedStaleRuns.TryAdd(1, tags);

    public void Rescued(string status) => Instruments.RescuedSessions.TryAdd(1, With("crawldata.session.status", status));

    public void Swept(int artifacts, bool deleted) => Instruments.SweptArtifacts.TryAdd(artifacts, With("crawldata.deleted", deleted));

    public void PassedOver(long rows) => Instruments.UnreadableRows.TryAdd(rows, tags);

    public void Purged(long rows) => Instruments.PurgedRows.TryAdd(rows, tags);

    private async Task<T> ObserveAsync<T>(string operation, int rows, Func<Task<T>> work)
    {
        var measured = With("db.operation.name", operation);
        var activity = Instruments.Activities.TryStart($"{operation} {table}", ActivityKind.Client, [.. measured, .. serverTags]);
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
            Instruments.OperationDuration.TryRecord(Stopwatch.GetElapsedTime(started).TotalSeconds, measured);
            activity.TryStop();
        }
    }

    private TagList With(string key, object? value)
    {
        var more = tags;
        more.Add(key, value);
        return more;
    }
}
