namespace CrawlData.Retention;

/// <summary>What became of a file that was to be deleted.</summary>
public enum FileDeletionOutcome
{
    /// <summary>The file is gone, or was not there any more.</summary>
    Deleted,

    /// <summary>The URI names no file of this machine. <see cref="FileArtifactStore.TryGetPath"/> says when. Nothing was deleted.</summary>
    NoFile,

    /// <summary>The file lies outside the roots. Nothing was deleted.</summary>
    OutsideRoots,

    /// <summary>The file could not be deleted: its folder is missing, it is a symbolic link or a folder, or the file system refused.</summary>
    Failed,
}
