namespace CrawlData.Tests.Faults.Checker;

/// <summary>Followers: each event once, in the order of ids.</summary>
internal sealed partial class Judge
{
    private void CheckFollowers()
    {
        var appends = new Dictionary<EventKey, Operation>();
        foreach (var append in Of<AppendOperation>().Where(append => !append.IsLog))
        {
            foreach (var (_, key) in append.Rows)
            {
                appends[key] = append;
            }
        }

        foreach (var write in Of<WriteOperation>())
        {
            appends[write.Key] = write;
        }

        foreach (var follow in Of<FollowOperation>())
        {
            var stored = state.Events.Where(row => follow.Crawl is null || row.Parent == follow.Crawl).ToHashSet();
            var delivered = follow.Delivered.ToHashSet();
            foreach (var (first, second) in follow.Delivered.Zip(follow.Delivered.Skip(1)).Where(pair => pair.First.Id >= pair.Second.Id))
            {
                Add(Promise.Misdelivered, $"{second} was delivered after {first}", follow);
            }

            // What is lost with the primary was not acknowledged: CheckRows looks at that. The standby may give its id out again.
            var lost = state.IsPromoted ? delivered.Where(row => !stored.Contains(row)).Select(row => row.Id).DefaultIfEmpty().Max() : 0;
            foreach (var row in delivered.Where(row => !state.IsPromoted && !stored.Contains(row) && !MayVanish(row.Parent, [])))
            {
                Add(Promise.Misdelivered, $"{row} was delivered, and is not stored", [follow, .. Appended(row)]);
            }

            if (!follow.IsAcknowledged)
            {
                if (follow.Outcome != Outcome.Pending && !(lost > 0 && follow.Error is InvalidValueException))
                {
                    Add(Promise.GaveUp, "a follower ended with an error", follow);
                }

                continue;
            }

            foreach (var row in stored.Where(row => row.Id > lost && !delivered.Contains(row)))
            {
                var next = follow.Delivered.FirstOrDefault(one => one.Id > row.Id);
                Add(Promise.Missed, $"{row} was not delivered, and {next} was", [follow, .. Appended(row), .. Appended(next)]);
            }
        }

        IEnumerable<Operation> Appended(StoredRow row) => appends.TryGetValue(row.Key, out var append) ? [append] : [];
    }
}
