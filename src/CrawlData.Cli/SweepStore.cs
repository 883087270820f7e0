using CrawlData.Retention;

namespace CrawlData.Cli;

/// <summary>The storage of <c>crawldata sweep</c>: files below the roots, and artifacts that another program has deleted.</summary>
/// <param name="files">The files below the roots; null to delete no file.</param>
/// <param name="acknowledged">The ids of artifacts that another program has deleted.</param>
/// <param name="remaining">Receives each artifact that is neither acknowledged nor a file below the roots.</param>
internal sealed class SweepStore(FileArtifactStore? files, IReadOnlySet<Guid> acknowledged, Func<ExpiredArtifact, ValueTask> remaining) : IArtifactStore
{
    /// <summary>Gets the number of files that could not be deleted. Each was reported on standard error.</summary>
    public int FailureCount { get; private set; }

    public async Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken)
    {
        var deleted = new List<ExpiredArtifact>();

        // A cancelled sweep still marks the artifacts that were deleted before.
        foreach (var artifact in artifacts.TakeWhile(_ => !cancellationToken.IsCancellationRequested))
        {
            var deletion = acknowledged.Contains(artifact.Id) ? null : files?.Delete(artifact.StorageUri);
            if (acknowledged.Contains(artifact.Id) || deletion?.Outcome == FileDeletionOutcome.Deleted)
            {
                deleted.Add(artifact);
            }
            else if (deletion?.Error is { } error)
            {
                FailureCount++;
                await Console.Error.WriteLineAsync($"{artifact.Id}: {error.Message}".Printable());
            }
            else
            {
                await remaining(artifact);
            }
        }

        return deleted;
    }
}
