using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>An operation of a client, with its interval and its outcome. Times count from the start of the history.</summary>
internal abstract class Operation(int client)
{
    public int Client => client;

    public TimeSpan Invoked { get; set; }

    /// <summary>When it returned; the greatest time while it has not.</summary>
    public TimeSpan Completed { get; set; } = TimeSpan.MaxValue;

    public Outcome Outcome { get; set; }

    public Exception? Error { get; set; }

    /// <summary>Whether it writes inside an ambient transaction, without a transaction of the client's.</summary>
    public bool IsAmbientWrite { get; init; }

    /// <summary>Whether it was done, or may have been.</summary>
    public bool MayBeDone => Outcome != Outcome.Refused;

    public bool IsAcknowledged => Outcome == Outcome.Acknowledged;

    /// <summary>What an error means. A single statement whose connection is lost may have been done.</summary>
    public virtual Outcome OutcomeOf(Exception error) => error switch
    {
        PostgresException { InvariantSeverity: "ERROR", SqlState: not PostgresErrorCodes.QueryCanceled } => Outcome.Refused,
        NpgsqlException or OperationCanceledException or TimeoutException or CallbackException => Outcome.Unknown,
        _ => Outcome.Refused,
    };

    public override string ToString()
    {
        var completed = Outcome == Outcome.Pending ? "…" : $"{Completed.TotalSeconds:0.0000}";
        var error = Error is null ? "" : $": {Error.GetType().Name} {ServerErrors.Describe(Error)}";
        return $"client {Client,3}  {Invoked.TotalSeconds:0.0000} to {completed} s  {Describe()} → {Outcome.ToString().ToLowerInvariant()}{error}";
    }

    /// <summary>Describes what was called, and what it returned.</summary>
    protected abstract string Describe();

    /// <summary>The end of an id, which is enough to tell the ids of a history apart.</summary>
    protected static string Short(Guid id) => id.ToString()[^6..];

    /// <summary>The first items of a list, and how many more there are.</summary>
    protected static string List<T>(IEnumerable<T> items, int most = 6)
    {
        var all = items.ToList();
        return string.Join(", ", all.Take(most)) + (all.Count > most ? $", … ({all.Count})" : "");
    }
}
