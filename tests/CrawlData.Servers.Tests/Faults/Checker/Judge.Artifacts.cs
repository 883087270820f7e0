namespace CrawlData.Tests.Faults.Checker;

/// <summary>Retention: a sweep passes what is expired and marks what the store returned. A purge leaves what is in the storage and what is not old
/// enough.</summary>
internal sealed partial class Judge
{
    private void CheckArtifacts()
    {
        var inserts = new Dictionary<Guid, InsertArtifactsOperation>();
        foreach (var insert in Of<InsertArtifactsOperation>())
        {
            foreach (var id in insert.Ids)
            {
                inserts[id] = insert;
            }
        }

        var sweeps = Of<SweepOperation>().SelectMany(sweep => sweep.Passed.Select(id => (Id: id, Sweep: sweep))).ToLookup(one => one.Id, one => one.Sweep);
        foreach (var ofArtifact in sweeps)
        {
            var id = ofArtifact.Key;
            if (!inserts.TryGetValue(id, out var insert) || !insert.Expired || insert.Outcome == Outcome.Refused)
            {
                Add(Promise.SweptWrongly, $"artifact {Short(id)} was swept, and is not expired", ofArtifact);
            }

            var marks = ofArtifact.Where(sweep => sweep.IsAcknowledged && sweep.Returned.Contains(id)).ToList();
            if (marks.Count > 1 || ofArtifact.Any(sweep => marks.Any(mark => mark.Completed < sweep.Invoked)))
            {
                Add(Promise.SweptWrongly, $"artifact {Short(id)} was swept after it was marked", ofArtifact);
            }
        }

        foreach (var insert in Of<InsertArtifactsOperation>().Where(insert => insert.IsAcknowledged))
        {
            foreach (var id in insert.Ids)
            {
                var returned = sweeps[id].Where(sweep => sweep.Returned.Contains(id)).ToList();
                if (!state.Artifacts.TryGetValue(id, out var isMarked))
                {
                    if (returned.Count == 0)
                    {
                        var others = operations.Where(one => (one is PurgeOperation && one.Completed > insert.Invoked)
                            || (one is AttemptOperation attempt && attempt.Session == insert.Session));
                        Add(
                            Promise.Lost,
                            $"artifact {Short(id)} of session {Short(insert.Session)} is in the storage, and its row is not stored",
                            [insert, .. others]);
                    }
                }
                else if (isMarked && returned.Count == 0)
                {
                    Add(Promise.SweptWrongly, $"artifact {Short(id)} is marked, and no store returned it", [insert, .. sweeps[id]]);
                }
                else if (!isMarked && returned.Any(sweep => sweep.IsAcknowledged))
                {
                    Add(Promise.Lost, $"artifact {Short(id)} is not marked, and a sweep marked it", [insert, .. returned]);
                }
            }
        }

        CheckPurgedSessions();
    }

    /// <summary>A session whose attempt has not ended, or that has an artifact in the storage, stays.</summary>
    private void CheckPurgedSessions()
    {
        var endings = Of<AttemptOperation>().Where(change => change.Ends && change.MayBeApplied).Select(change => change.Session)
            .Concat(Of<RescueOperation>().SelectMany(rescue => rescue.Rescued.Select(one => one.Session))).ToHashSet();
        var mayBeRescued = Of<RescueOperation>().Any(rescue => !rescue.IsAcknowledged && rescue.MayBeDone);
        foreach (var insert in Of<InsertOperation>().Where(insert => insert is { Table: "audit_sessions", IsAcknowledged: true }))
        {
            foreach (var session in insert.Ids.Where(id => !state.Sessions.ContainsKey(id) && !mayBeRescued && !endings.Contains(id)))
            {
                Add(
                    Promise.Lost,
                    $"session {Short(session)} has not ended, and is not stored",
                    [insert, .. Of<ClaimOperation>().Where(claim => claim.Session == session)]);
            }
        }
    }
}
