using CrawlData.Retention;

namespace CrawlData.Cli;

/// <summary>Deletes artifacts whose storage URI is a local file. It counts acknowledged artifacts as deleted.</summary>
/// <param name="acknowledged">The ids of artifacts that another program has deleted.</param>
/// <param name="elsewhere">Receives each artifact in other storage that is not acknowledged.</param>
internal sealed class FileArtifactStore(IReadOnlySet<Guid> acknowledged, Func<ExpiredArtifact, ValueTask> elsewhere) : IArtifactStore
{
    /// <summary>Gets the number of files that could not be deleted.</summary>
    public int FailureCount { get; private set; }

    /// <summary>Gets the first error of a file that could not be deleted.</summary>
    public string? FirstFailure { get; private set; }

    public async Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken)
    {
        var deleted = new List<ExpiredArtifact>();

        // A cancelled sweep still marks the artifacts that were deleted before.
        foreach (var artifact in artifacts.TakeWhile(_ => !cancellationToken.IsCancellationRequested))
        {
            if (acknowledged.Contains(artifact.Id))
            {
                deleted.Add(artifact);
            }
            else if (LocalPath(artifact.StorageUri) is not { } path)
            {
                await elsewhere(artifact);
            }
            else if (TryDelete(path))
            {
                deleted.Add(artifact);
            }
        }

        return deleted;
    }

    // A plain path is no file: URI. It may be a key in a bucket.
    private static string? LocalPath(string storageUri) =>
        storageUri.StartsWith("file:", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(storageUri, UriKind.Absolute, out var uri) && !uri.IsUnc
            ? uri.LocalPath
            : null;

    private bool TryDelete(string path)
    {
        try
        {
            // Throws when the folder is missing: the volume may not be mounted, and the file may still exist there. Throws also for a path with U+0000.
            File.Delete(path);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            FailureCount++;
            FirstFailure ??= exception.Message;
            return false;
        }
    }
}
