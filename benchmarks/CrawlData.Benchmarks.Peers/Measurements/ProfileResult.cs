namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>The times of the steps of a read and of an append, and the server's plans. The time of a step includes the steps before it.</summary>
internal sealed record ProfileResult
{
    public required IReadOnlyList<Measurement> Read { get; init; }

    public required IReadOnlyList<Measurement> Append { get; init; }

    /// <summary>Gets the times of <see cref="SingleAppends"/> events, each stored by an append of its own.</summary>
    public required IReadOnlyList<Measurement> Single { get; init; }

    public required int SingleAppends { get; init; }

    public required string ReadPlan { get; init; }

    public required string AppendPlan { get; init; }
}
