namespace CrawlData.Tests.Faults.Checker;

/// <summary>The totals of histories.</summary>
internal sealed class HistoryCounts
{
    private readonly Dictionary<Promise, int> broken = Enum.GetValues<Promise>().ToDictionary(promise => promise, _ => 0);
    private int histories;
    private long operations;
    private long refused;
    private long unknown;
    private long stored;
    private long delivered;

    public FaultCounter Faults { get; } = new();

    public long Acknowledged { get; private set; }

    public void Add(IReadOnlyCollection<Operation> history, StoredState state, IReadOnlyList<Violation> violations)
    {
        histories++;
        operations += history.Count;
        Acknowledged += history.Count(operation => operation.IsAcknowledged);
        refused += history.Count(operation => operation.Outcome == Outcome.Refused);
        unknown += history.Count(operation => operation.Outcome == Outcome.Unknown);
        stored += state.Events.Count + state.Lines.Count;
        delivered += history.OfType<FollowOperation>().Sum(follow => follow.Delivered.Count);
        foreach (var violation in violations)
        {
            broken[violation.Promise]++;
        }
    }

    public override string ToString() =>
        $"""
        {histories:N0} histories, {operations:N0} operations: {Acknowledged:N0} acknowledged, {refused:N0} refused, {unknown:N0} unknown
          rows stored {stored:N0}, events delivered {delivered:N0}
          faults: {Faults}
          {string.Join(", ", broken.Select(one => $"{one.Key} {one.Value:N0}"))}
        """;
}
