namespace CrawlData.Dashboard.Reads;

/// <summary>Keeps a value for each of the runs that were looked at last.</summary>
internal sealed class RunCache<T> where T : class
{
    private const int Capacity = 256;

    private readonly Lock gate = new();
    private readonly OrderedDictionary<Guid, T> values = [];

    public T? Find(Guid runId)
    {
        lock (gate)
        {
            return values.GetValueOrDefault(runId);
        }
    }

    public void Keep(Guid runId, T value)
    {
        lock (gate)
        {
            // The newest is at the end.
            values.Remove(runId);
            values.Add(runId, value);
            if (values.Count > Capacity)
            {
                values.RemoveAt(0);
            }
        }
    }
}
