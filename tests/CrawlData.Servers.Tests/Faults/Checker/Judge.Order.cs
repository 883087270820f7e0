namespace CrawlData.Tests.Faults.Checker;

/// <summary>Order: within a crawl, ids rise in the order of appends that follow each other, and of writes to one writer.</summary>
internal sealed partial class Judge
{
    private void CheckOrder()
    {
        var ids = state.Events.GroupBy(row => row.Key).ToDictionary(group => group.Key, group => group.First().Id);
        var crawls = new Dictionary<(Guid Crawl, int? Writer), List<(long Least, long Most, Operation Operation)>>();
        void Note(Guid crawl, int? writer, IEnumerable<EventKey> keys, Operation operation)
        {
            var stored = keys.Where(ids.ContainsKey).Select(key => ids[key]).ToList();
            if (stored.Count > 0)
            {
                if (!crawls.TryGetValue((crawl, writer), out var items))
                {
                    crawls.Add((crawl, writer), items = []);
                }

                items.Add((stored.Min(), stored.Max(), operation));
            }
        }

        foreach (var append in Of<AppendOperation>().Where(append => append is { IsLog: false, IsAcknowledged: true }))
        {
            foreach (var ofCrawl in append.Rows.GroupBy(row => row.Parent, row => row.Key))
            {
                Note(ofCrawl.Key, null, ofCrawl, append);
                if (append.Writer is { } writer)
                {
                    Note(ofCrawl.Key, writer, ofCrawl, append);
                }
            }
        }

        // Of an event that was given back and written again, the last write counts.
        foreach (var write in Of<WriteOperation>().Where(write => write.IsAcknowledged).GroupBy(write => write.Key).Select(group => group.Last()))
        {
            Note(write.Crawl, write.Writer, [write.Key], write);
        }

        foreach (var items in crawls.Values)
        {
            CheckOrder(items);
        }
    }

    /// <summary>Checks that no operation has a lower id than one that was completed before it was invoked.</summary>
    private void CheckOrder(List<(long Least, long Most, Operation Operation)> items)
    {
        var byCompletion = items.OrderBy(item => item.Operation.Completed).ToList();
        var completed = 0;
        (long Most, Operation? Operation) before = (0, null);
        foreach (var item in items.OrderBy(item => item.Operation.Invoked))
        {
            for (; completed < byCompletion.Count && byCompletion[completed].Operation.Completed < item.Operation.Invoked; completed++)
            {
                if (byCompletion[completed].Most > before.Most)
                {
                    before = (byCompletion[completed].Most, byCompletion[completed].Operation);
                }
            }

            if (before.Most >= item.Least)
            {
                Add(Promise.OutOfOrder, $"id {item.Least} was stored after id {before.Most}", before.Operation!, item.Operation);
            }
        }
    }
}
