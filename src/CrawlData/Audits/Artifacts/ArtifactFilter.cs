using CrawlData.Storage;
namespace CrawlData.Audits;

/// <summary>Which of a session's artifacts to list; a property that is null lets all through.</summary>
public sealed record ArtifactFilter
{
    internal static readonly ArtifactFilter All = new();

    /// <summary>Artifacts of this page.</summary>
    public Guid? PageId { get; init; }

    /// <summary>Artifacts of one of these types; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them is none of the enum's.</exception>
    public IReadOnlyCollection<ArtifactType>? Types { get; init => field = EnumLabels.Require(value, "types"); }

    /// <summary>Also artifacts that are marked as deleted. Off unless set.</summary>
    public bool IncludeDeleted { get; init; }
}
