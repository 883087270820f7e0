namespace CrawlData.Cli.Commands;

/// <summary>What a command changed.</summary>
/// <param name="Sentence">A sentence for the terminal.</param>
/// <param name="Row">The row as it is now, for JSON.</param>
/// <param name="NewId">The id of a row that the command made, which alone is written into a pipe; null for other changes.</param>
internal sealed record Change(string Sentence, object Row, Guid? NewId = null);
