namespace CrawlData.Diagnostics;

/// <summary>A state of a database that voids a promise of this library, or that an operator has to mend.</summary>
public sealed record DatabaseFinding
{
    /// <summary>Gets the check that found it: <c>settings</c>, <c>tables</c>, <c>sequences</c>, <c>partitions</c>, <c>rights</c> or <c>journals</c>. Those of
    /// <see cref="DatabaseDoctor.CheckAllAsync"/> are also <c>scripts</c>, <c>indexes</c>, <c>vacuum</c>, <c>wraparound</c>, <c>stale</c>, <c>standbys</c>,
    /// <c>slots</c> and <c>artifacts</c>.</summary>
    public required string Check { get; init; }

    /// <summary>Gets how much it matters.</summary>
    public required FindingSeverity Severity { get; init; }

    /// <summary>Gets the setting or the object: <c>synchronous_commit</c>, <c>sequence crawl_events_id_seq</c>.</summary>
    public required string Subject { get; init; }

    /// <summary>Gets the value or the state: <c>off</c>.</summary>
    public required string Value { get; init; }

    /// <summary>Gets the promise that is void, or the harm, as sentences.</summary>
    public required string Effect { get; init; }

    /// <summary>Gets the SQL statement or the command of the tool that mends it, or what is to be changed when none can.</summary>
    public required string Remedy { get; init; }

    /// <summary>Describes the finding in one line, without the remedy.</summary>
    /// <returns>For example <c>fsync is off. A crash of the machine can lose acknowledged rows, or damage the database.</c></returns>
    public override string ToString() => $"{Subject} is {Value}. {Effect}";
}
