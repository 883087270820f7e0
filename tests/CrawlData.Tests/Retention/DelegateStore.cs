using CrawlData.Retention;

namespace CrawlData.Tests;

/// <summary>A store that a delegate implements.</summary>
internal sealed class DelegateStore(Func<IReadOnlyList<ExpiredArtifact>, CancellationToken, Task<IReadOnlyList<ExpiredArtifact>>> delete) : IArtifactStore
{
    public Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken) =>
        delete(artifacts, cancellationToken);
}
