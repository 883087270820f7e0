namespace CrawlData;

/// <summary>A change that a row's state must allow.</summary>
/// <param name="Table">The row's table.</param>
/// <param name="Name">The change's name: a verb, such as "complete".</param>
/// <param name="AllowedStatuses">The labels of the statuses that allow it.</param>
internal sealed record TransitionRule(string Table, string Name, params string[] AllowedStatuses);
