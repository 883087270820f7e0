namespace CrawlData.Tests.Faults.Checker;

/// <summary>Runs: of two concurrent transitions one is applied, and a run that has not ended stays.</summary>
internal sealed partial class Judge
{
    private void CheckRuns()
    {
        foreach (var run in Of<StatusOperation>().GroupBy(status => status.Run))
        {
            var all = run.ToList();
            foreach (var same in new[] { all.Where(status => status.IsStart), all.Where(status => !status.IsStart) })
            {
                if (same.Count(status => status.IsApplied) > 1)
                {
                    Add(Promise.WrongTransition, $"run {Short(run.Key)} was changed twice", all);
                }
            }

            foreach (var refused in all.Where(status => status is { IsAcknowledged: true, Result: TransitionOutcome.Refused }))
            {
                // Before the run was started, it may be too early. Otherwise another transition came first.
                var hasReason = all.Any(other =>
                        other != refused && other.MayBeApplied && other.Invoked < refused.Completed && !(other.IsStart && !refused.IsStart))
                    || (refused.Transition == "complete" && !all.Any(other => other.IsStart && other.IsApplied && other.Completed < refused.Invoked));
                if (!hasReason)
                {
                    Add(Promise.WrongTransition, $"a transition of run {Short(run.Key)} was refused without a reason", all);
                }
            }
        }

        var ends = Of<StatusOperation>().Where(status => !status.IsStart && status.IsApplied).GroupBy(status => status.Run)
            .ToDictionary(group => group.Key, group => group.First());
        foreach (var run in Of<InsertOperation>().Where(insert => insert is { Table: "crawl_runs", IsAcknowledged: true }).SelectMany(insert => insert.Ids))
        {
            if (!state.Runs.TryGetValue(run, out var status))
            {
                if (!EndedRuns.TryGetValue(run, out var ended) || !MayBePurged("crawl_runs", ended))
                {
                    Add(Promise.Lost, $"run {Short(run)} is not stored", Of<StatusOperation>().Where(one => one.Run == run));
                }
            }
            else if (ends.TryGetValue(run, out var end) && end.Status != status)
            {
                Add(Promise.WrongTransition, $"run {Short(run)} is {status}", end);
            }
        }
    }
}
