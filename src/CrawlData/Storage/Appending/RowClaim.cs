namespace CrawlData.Storage;

/// <summary>The claim under which a row is appended. The append is refused when the claim is lost.</summary>
/// <param name="Number">The number of the claim.</param>
/// <param name="OutlivesRun">Whether the parent's run may have ended under this claim. An event of a spool was acknowledged before that.</param>
internal readonly record struct RowClaim(int Number, bool OutlivesRun);
