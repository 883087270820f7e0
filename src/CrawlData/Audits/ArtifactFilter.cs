namespace CrawlData.Audits;

/// <summary>Which of a session's artifacts to list; a property that is null lets all through.</summary>
public sealed record ArtifactFilter
{
    internal static readonly ArtifactFilter All = new();

    /// <summary>Artifacts of this page.</summary>
    public Guid? PageId { get; init; }

    /// <summary>Artifacts of one of these types; none at all when empty.</summary>
    public IReadOnlyCollection<ArtifactType>? Types { get; init; }

    /// <summary>Also artifacts that are marked as deleted. Off unless set.</summary>
    public bool IncludeDeleted { get; init; }
}
