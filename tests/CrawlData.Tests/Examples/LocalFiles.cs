using CrawlData.Retention;

namespace Examples;

// snippet: artifact-store
public sealed class LocalFiles : IArtifactStore
{
    public Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken)
    {
        foreach (var artifact in artifacts)
        {
            File.Delete(new Uri(artifact.StorageUri).LocalPath);
        }

        return Task.FromResult(artifacts);
    }
}
// end snippet
