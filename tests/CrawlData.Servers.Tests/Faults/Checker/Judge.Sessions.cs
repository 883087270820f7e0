namespace CrawlData.Tests.Faults.Checker;

/// <summary>Sessions: one worker at a time, and each attempt ends once.</summary>
internal sealed partial class Judge
{
    private void CheckSessions()
    {
        var claims = Of<ClaimOperation>().Where(claim => claim is { IsAcknowledged: true, Session: not null }).ToLookup(claim => claim.Session!.Value);
        var changes = Of<AttemptOperation>().ToLookup(change => change.Session);
        var rescues = Of<RescueOperation>().ToList();
        var rescuesOf = rescues.SelectMany(rescue => rescue.Rescued.Select(one => (one.Session, one.Attempt, Rescue: rescue)))
            .ToLookup(one => one.Session);
        var requeues = Of<RequeueOperation>().Where(requeue => requeue.MayBeApplied).ToLookup(requeue => requeue.Session);
        foreach (var ofSession in claims)
        {
            var session = ofSession.Key;
            List<Operation> all = [.. ofSession, .. changes[session], .. rescuesOf[session].Select(one => one.Rescue), .. requeues[session]];
            foreach (var claim in ofSession)
            {
                if (ofSession.Count(other => other.Attempt == claim.Attempt) > 1)
                {
                    Add(Promise.TwoWorkers, $"session {Short(session)} was claimed twice for attempt {claim.Attempt}", all);
                }

                // An attempt follows one that ended.
                var before = claim.Attempt - 1;
                if (before > 0
                    && !changes[session].Any(change => change.Attempt == before && change.Ends && change.MayBeApplied && change.Invoked < claim.Completed)
                    && !rescuesOf[session].Any(one => one.Attempt == before && one.Rescue.Invoked < claim.Completed)
                    && !rescues.Any(rescue => !rescue.IsAcknowledged && rescue.MayBeDone && rescue.Invoked < claim.Completed))
                {
                    Add(Promise.TwoWorkers, $"session {Short(session)} was claimed for attempt {claim.Attempt}, and attempt {before} had not ended", all);
                }
            }

            foreach (var change in changes[session])
            {
                if (change.IsApplied && ofSession.Any(claim => claim.Attempt > change.Attempt && claim.Completed < change.Invoked))
                {
                    Add(Promise.TwoWorkers, $"session {Short(session)} was changed by the worker of attempt {change.Attempt}, which had lost it", all);
                }

                var isEndedByOther = changes[session].Any(other =>
                        other != change && other.Attempt == change.Attempt && other.Ends && other.MayBeApplied && other.Invoked < change.Completed)
                    || rescuesOf[session].Any(one => one.Attempt == change.Attempt && one.Rescue.Invoked < change.Completed)
                    || rescues.Any(rescue => !rescue.IsAcknowledged && rescue.MayBeDone && rescue.Invoked < change.Completed);
                if (change.IsAcknowledged && change.Result != TransitionOutcome.Applied && !isEndedByOther)
                {
                    Add(Promise.WrongTransition, $"a change of session {Short(session)} at attempt {change.Attempt} was refused without a reason", all);
                }
            }

            foreach (var attempt in changes[session].Where(change => change.Ends).Select(change => change.Attempt).Distinct())
            {
                var ends = changes[session].Count(change => change.Attempt == attempt && change.Ends && change.IsApplied)
                    + rescuesOf[session].Count(one => one.Attempt == attempt);
                if (ends > 1)
                {
                    Add(Promise.TwoWorkers, $"attempt {attempt} of session {Short(session)} ended {ends} times", all);
                }
            }

            CheckStatus(session, [.. ofSession], [.. changes[session]], requeues[session].Any(), all);
        }
    }

    private void CheckStatus(Guid session, List<ClaimOperation> claims, List<AttemptOperation> changes, bool mayBeRequeued, List<Operation> all)
    {
        if (!state.Sessions.TryGetValue(session, out var stored))
        {
            return;
        }

        if (claims.Max(claim => claim.Attempt) > stored.Attempts)
        {
            Add(Promise.Lost, $"session {Short(session)} is at attempt {stored.Attempts}, and a later one was claimed", all);
        }

        var end = changes.Find(change => change.Ends && change.IsApplied && change.Attempt == stored.Attempts);
        if (!mayBeRequeued && end is not null && end.Status != stored.Status)
        {
            Add(Promise.WrongTransition, $"session {Short(session)} is {stored.Status}", all);
        }
    }
}
