namespace CrawlData.Retention;

/// <summary>The result of <see cref="FileArtifactStore.Delete"/>.</summary>
public sealed class FileDeletion
{
    /// <summary>What became of the file.</summary>
    public required FileDeletionOutcome Outcome { get; init; }

    /// <summary>The error when the outcome is <see cref="FileDeletionOutcome.Failed"/>; otherwise null. Its message names the path.</summary>
    public Exception? Error { get; init; }
}
