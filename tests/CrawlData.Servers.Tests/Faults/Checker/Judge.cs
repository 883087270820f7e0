namespace CrawlData.Tests.Faults.Checker;

/// <summary>Compares a history with what is stored at its end. It knows the promises of <c>docs/guarantees.md</c>, and not how the library holds
/// them.</summary>
internal sealed partial class Judge
{
    private readonly IReadOnlyCollection<Operation> operations;
    private readonly StoredState state;
    private readonly List<Violation> violations = [];
    private readonly Dictionary<string, TimeSpan> cutoffs;

    private Judge(IEnumerable<Operation> operations, StoredState state)
    {
        this.operations = [.. operations.OrderBy(operation => operation.Invoked)];
        this.state = state;

        // A purge computes the time up to which it deletes when it starts. A purge that failed may have deleted something too.
        cutoffs = Of<PurgeOperation>().GroupBy(purge => purge.Table).ToDictionary(
            group => group.Key,
            group => group.Max(purge => purge.Outcome == Outcome.Pending ? TimeSpan.MaxValue : purge.Completed - purge.Age));
    }

    /// <summary>Finds the promises that a history breaks.</summary>
    /// <param name="operations">The history.</param>
    /// <param name="state">What is stored at its end.</param>
    public static IReadOnlyList<Violation> Check(IEnumerable<Operation> operations, StoredState state)
    {
        var judge = new Judge(operations, state);
        judge.CheckCalls();
        judge.CheckRows(state.Events, isLog: false);
        judge.CheckRows(state.Lines, isLog: true);
        judge.CheckOrder();
        judge.CheckWriters();
        judge.CheckFollowers();
        judge.CheckRuns();
        judge.CheckSessions();
        judge.CheckArtifacts();
        judge.CheckAmbient();
        return judge.violations;
    }

    private IEnumerable<T> Of<T>() where T : Operation => operations.OfType<T>();

    private void Add(Promise promise, string subject, params IEnumerable<Operation> shown) => violations.Add(new Violation(promise, subject, [.. shown]));

    /// <summary>Each call returns, and none passes on an application's exception.</summary>
    private void CheckCalls()
    {
        foreach (var operation in operations)
        {
            if (operation.Outcome == Outcome.Pending)
            {
                Add(Promise.Hung, "a call did not return", operation);
            }
            else if (operation.Error is CallbackException)
            {
                Add(Promise.CallbackLeaked, "a callback's exception reached the caller", operation);
            }
        }
    }

    /// <summary>Whether a purge may have deleted what a table's row needs, if the row was old enough from a time on.</summary>
    private bool MayBePurged(string table, TimeSpan oldFrom) => cutoffs.TryGetValue(table, out var cutoff) && oldFrom < cutoff;

    private static string Short(Guid id) => id.ToString()[^6..];
}
