using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>Restricts which of a session's artifacts are listed or totaled. An artifact must match all properties that are set.</summary>
public sealed record ArtifactFilter
{
    internal static readonly ArtifactFilter All = new();

    /// <summary>Only artifacts of this page.</summary>
    /// <value>The default is null: all pages of the session.</value>
    public Guid? PageId { get; init; }

    /// <summary>Only artifacts of one of these types. An empty collection matches no artifact.</summary>
    /// <value>The default is null: all types.</value>
    /// <exception cref="InvalidValueException">One of the values is not defined.</exception>
    public IReadOnlyCollection<ArtifactType>? Types { get; init => field = EnumLabels.Require(value, "types"); }

    /// <summary>Whether artifacts that are marked as deleted match too.</summary>
    /// <value>The default is false.</value>
    public bool IncludeDeleted { get; init; }
}
