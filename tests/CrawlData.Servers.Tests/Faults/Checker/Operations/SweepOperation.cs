namespace CrawlData.Tests.Faults.Checker;

/// <summary>A batch of a sweep. It is invoked when the store gets the batch, and acknowledged when the sweep reports it as marked.</summary>
internal sealed class SweepOperation(int client, IReadOnlyList<Guid> passed) : Operation(client)
{
    /// <summary>The artifacts that the store got.</summary>
    public IReadOnlyList<Guid> Passed => passed;

    /// <summary>The artifacts that the store returned as deleted.</summary>
    public IReadOnlyList<Guid> Returned { get; set; } = [];

    protected override string Describe() => $"sweep [{List(passed.Select(Short))}], deleted [{List(Returned.Select(Short))}]";
}
