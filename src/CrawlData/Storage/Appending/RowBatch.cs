namespace CrawlData.Storage;

/// <summary>Rows to append, each with the parent that it belongs to.</summary>
internal sealed class RowBatch<T> where T : class
{
    private readonly IReadOnlyList<(Guid ParentId, T Row)>? pairs;
    private readonly IReadOnlyList<RowClaim?> rowClaims = [];

    /// <summary>Makes a batch of one parent's rows.</summary>
    /// <param name="parentId">The parent.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="claim">The claim of all rows; null when they have none.</param>
    public RowBatch(Guid parentId, IReadOnlyList<T> rows, RowClaim? claim = null)
    {
        Rows = rows;
        ParentIds = [parentId];
        Claims = claim is { } one ? [(parentId, one)] : [];
    }

    /// <summary>Makes a batch of several parents' rows.</summary>
    /// <param name="pairs">The rows, each with its parent.</param>
    /// <param name="claims">The claim of each row, or null for a row without one; null when no row has one.</param>
    public RowBatch(IReadOnlyList<(Guid ParentId, T Row)> pairs, IReadOnlyList<RowClaim?>? claims = null)
    {
        this.pairs = pairs;
        Rows = [.. pairs.Select(pair => pair.Row)];
        rowClaims = claims ?? [];
        ParentIds = [.. pairs.Select(pair => pair.ParentId).Distinct()];
        Claims = claims is null ? [] :
        [
            .. rowClaims.Zip(pairs, (claim, pair) => (pair.ParentId, Claim: claim)).Where(one => one.Claim is not null)
                .Select(one => (one.ParentId, one.Claim!.Value)).Distinct(),
        ];
    }

    /// <summary>The parents, each once.</summary>
    public Guid[] ParentIds { get; }

    /// <summary>The claims of the rows, each once. Empty when no row has one.</summary>
    public (Guid ParentId, RowClaim Claim)[] Claims { get; }

    public IReadOnlyList<T> Rows { get; }

    public int Count => Rows.Count;

    /// <summary>The parent of each row.</summary>
    public IEnumerable<Guid> RowParentIds => Enumerable.Range(0, Count).Select(ParentId);

    /// <summary>Gets the index of the first row that has a claim.</summary>
    public int IndexOf((Guid ParentId, RowClaim Claim) claim) =>
        pairs is null ? 0 : Enumerable.Range(0, Count).First(index => pairs[index].ParentId == claim.ParentId && rowClaims[index] == claim.Claim);

    /// <summary>Gets the rows of some of the parents, in their order, without claims.</summary>
    public RowBatch<T> Of(IReadOnlyCollection<Guid> parentIds)
    {
        if (parentIds.Count == ParentIds.Length)
        {
            return this;
        }

        var some = parentIds.ToHashSet();
        return new RowBatch<T>([.. Enumerable.Range(0, Count).Where(index => some.Contains(ParentId(index))).Select(index => (ParentId(index), Row(index)))]);
    }

    public T Row(int index) => Rows[index];

    public Guid ParentId(int index) => pairs is null ? ParentIds[0] : pairs[index].ParentId;
}
