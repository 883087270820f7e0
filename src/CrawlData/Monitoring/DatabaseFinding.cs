namespace CrawlData.Diagnostics;

/// <summary>A state of a database that voids a promise of this library.</summary>
public sealed record DatabaseFinding
{
    /// <summary>Gets the check that found it: <c>settings</c>, <c>tables</c>, <c>sequences</c>, <c>rights</c> or <c>journals</c>.</summary>
    public required string Check { get; init; }

    /// <summary>Gets the setting or the object: <c>synchronous_commit</c>, <c>sequence crawl_events_id_seq</c>.</summary>
    public required string Subject { get; init; }

    /// <summary>Gets the value or the state: <c>off</c>.</summary>
    public required string Value { get; init; }

    /// <summary>Gets the promise that is void, as sentences.</summary>
    public required string Effect { get; init; }

    /// <summary>Gets the statement that mends it, or where it is to be changed when no statement can.</summary>
    public required string Remedy { get; init; }

    /// <summary>Describes the finding in one line, without the remedy.</summary>
    /// <returns>For example <c>fsync is off. A crash of the machine can lose acknowledged rows, or damage the database.</c></returns>
    public override string ToString() => $"{Subject} is {Value}. {Effect}";
}
