namespace CrawlData.Tests.Faults.Checker;

/// <summary>Ambient transactions: writes are refused in them, and reads do not see their snapshot.</summary>
internal sealed partial class Judge
{
    private void CheckAmbient()
    {
        foreach (var write in operations.Where(operation => operation.IsAmbientWrite && operation.Outcome != Outcome.Pending))
        {
            if (write.Error is not InvalidOperationException)
            {
                Add(Promise.JoinedAmbient, "a write in an ambient transaction was not refused", write);
            }
        }

        var appends = Of<AppendOperation>().Where(append => append is { IsLog: false, IsAcknowledged: true }).ToLookup(append => append.Client);
        foreach (var read in Of<AmbientReadOperation>())
        {
            foreach (var append in appends[read.Client].Where(append => append.Completed < read.Invoked))
            {
                if (read.IsAcknowledged && append.Rows.Any(row => row.Parent == read.Crawl && !MayVanish(row.Parent, [append]) && !read.Keys.Contains(row.Key)))
                {
                    Add(Promise.JoinedAmbient, "a read in an ambient transaction did not see an event that was stored before", append, read);
                }
            }
        }
    }
}
