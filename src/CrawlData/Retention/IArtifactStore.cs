namespace CrawlData.Retention;

/// <summary>The storage that holds the artifacts: files, a bucket, or several. <see cref="ArtifactSweeper"/> deletes expired artifacts through it.
/// <see cref="FileArtifactStore"/> is one of files. The application implements others.</summary>
/// <remarks>A storage URI comes from a row, and a row may come from anywhere. So an implementation limits what it deletes, for example to one bucket.</remarks>
/// <example>
/// <code>
/// sealed class BucketStore(IBucket bucket) : IArtifactStore
/// {
///     public async Task&lt;IReadOnlyList&lt;ExpiredArtifact&gt;&gt; DeleteAsync(
///         IReadOnlyList&lt;ExpiredArtifact&gt; artifacts, CancellationToken cancellationToken)
///     {
///         var gone = await bucket.DeleteAsync(artifacts.Select(artifact => artifact.StorageUri), cancellationToken);
///         return [.. artifacts.Where(artifact => gone.Contains(artifact.StorageUri))];
///     }
/// }
/// </code>
/// </example>
public interface IArtifactStore
{
    /// <summary>Deletes artifacts from the storage.</summary>
    /// <remarks>
    /// <para>An artifact may be passed again after a crash. Count one that is not there any more as gone. The artifacts' rows are locked meanwhile, and a
    /// transaction is open.</para>
    /// <para>Leave an artifact that cannot be deleted out of the result. An exception ends the sweep. If one artifact causes it each time, no sweep gets
    /// further.</para>
    /// </remarks>
    /// <param name="artifacts">The artifacts of one batch.</param>
    /// <param name="cancellationToken">Cancels the sweep. An implementation that returns has its result recorded.</param>
    /// <returns>The artifacts of the batch that are gone. Only those are marked as deleted.</returns>
    Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken);
}
