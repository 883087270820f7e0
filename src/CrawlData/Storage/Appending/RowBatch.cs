namespace CrawlData.Storage;

/// <summary>Rows to append, each with the parent that it belongs to.</summary>
internal sealed class RowBatch<T> where T : class
{
    private readonly IReadOnlyList<(Guid ParentId, T Row)>? pairs;
    private readonly IReadOnlyList<T>? rows;

    /// <summary>Makes a batch of one parent's rows.</summary>
    public RowBatch(Guid parentId, IReadOnlyList<T> rows)
    {
        this.rows = rows;
        ParentIds = [parentId];
    }

    /// <summary>Makes a batch of several parents' rows.</summary>
    public RowBatch(IReadOnlyList<(Guid ParentId, T Row)> pairs)
    {
        this.pairs = pairs;
        ParentIds = [.. pairs.Select(pair => pair.ParentId).Distinct()];
    }

    /// <summary>The parents, each once.</summary>
    public Guid[] ParentIds { get; }

    public int Count => rows?.Count ?? pairs!.Count;

    public IEnumerable<T> Rows => rows ?? pairs!.Select(pair => pair.Row);

    /// <summary>The parent of each row.</summary>
    public IEnumerable<Guid> RowParentIds => rows is not null ? Enumerable.Repeat(ParentIds[0], rows.Count) : pairs!.Select(pair => pair.ParentId);

    /// <summary>Gets the rows of some of the parents, in their order.</summary>
    public RowBatch<T> Of(IReadOnlyCollection<Guid> parentIds)
    {
        if (parentIds.Count == ParentIds.Length)
        {
            return this;
        }

        var some = parentIds.ToHashSet();
        return new RowBatch<T>([.. Enumerable.Range(0, Count).Where(index => some.Contains(ParentId(index))).Select(index => (ParentId(index), Row(index)))]);
    }

    public T Row(int index) => rows is not null ? rows[index] : pairs![index].Row;

    public Guid ParentId(int index) => rows is not null ? ParentIds[0] : pairs![index].ParentId;
}
