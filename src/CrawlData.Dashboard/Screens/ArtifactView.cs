using CrawlData.Audits;
using CrawlData.Dashboard.Text;
using CrawlData.Diagnostics;

namespace CrawlData.Dashboard.Screens;

/// <summary>What artifacts hold, what has expired, and what expires soon.</summary>
/// <param name="Totals">The artifacts that are not deleted, by type.</param>
/// <param name="Expiring">The artifacts that expire within <see cref="ArtifactList.Soon"/>.</param>
/// <param name="Status">The state of the database.</param>
internal sealed record ArtifactView(IReadOnlyDictionary<ArtifactType, ArtifactTotal> Totals, ArtifactTotal Expiring, DatabaseStatus Status) : IScreen
{
    public string Title => "Artifacts";

    public long Count => Totals.Values.Sum(total => total.Count);

    // Sizes come from an application, and each total may be the largest long.
    public long Bytes => (long)Int128.Min(long.MaxValue, Totals.Values.Aggregate(Int128.Zero, (sum, total) => sum + total.SizeBytes));

    public object Twin => new
    {
        Totals = Totals.ToDictionary(total => total.Key.ToLabel(), total => total.Value),
        Expired = Status.ExpiredArtifacts,
        Status.OldestExpiry,
        Expiring,
        Status.ReadAt,
    };
}
