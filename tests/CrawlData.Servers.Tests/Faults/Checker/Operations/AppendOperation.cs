using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>An append of events to crawls, or of lines to sessions' logs: all or none.</summary>
internal sealed class AppendOperation(int client, string name, IReadOnlyList<(Guid Parent, EventKey Key)> rows) : Operation(client)
{
    public IReadOnlyList<(Guid Parent, EventKey Key)> Rows => rows;

    /// <summary>The ids that were returned, or that an unknown outcome has; null where there are none.</summary>
    public IReadOnlyList<long>? Ids { get; set; }

    /// <summary>Whether the rows are lines of logs. Otherwise they are events.</summary>
    public bool IsLog { get; init; }

    /// <summary>The rows' time, where it matters to a purge. A purge keeps a session, or a run, whose last row is not old enough.</summary>
    public TimeSpan Timestamp { get; init; }

    /// <summary>Whether the rows are valid, their parents exist, and the library retries for longer than any fault lasts.</summary>
    public bool MustSucceed { get; init; }

    /// <summary>Whether one of the rows is refused by the server.</summary>
    public bool HasRefusedRow { get; init; }

    /// <summary>Whether it ran in the client's own transaction, whose COMMIT the library does not verify.</summary>
    public bool InTransaction { get; init; }

    /// <summary>The writer that an event was appended through; null for an append through a repository.</summary>
    public int? Writer { get; init; }

    public override Outcome OutcomeOf(Exception error)
    {
        Ids = (error as AppendOutcomeUnknownException)?.Ids is { } ids && ids.Count == rows.Count ? ids : null;
        return error is AppendOutcomeUnknownException || (InTransaction && error is NpgsqlException) ? Outcome.Unknown : Outcome.Refused;
    }

    protected override string Describe()
    {
        var through = Writer is { } writer ? $" through writer {writer}" : "";
        return $"{name}{through} [{List(rows.Select(row => $"{row.Key} to {Short(row.Parent)}"))}] ids [{List(Ids ?? [])}]";
    }
}
