namespace CrawlData.Tests.Cli;

/// <summary>The exit code and the output of a run of the tool.</summary>
internal sealed record ToolResult
{
    public required int ExitCode { get; init; }

    public required string Output { get; init; }

    public required string Error { get; init; }

    /// <summary>Gets the lines of NDJSON.</summary>
    public IReadOnlyList<Jsonb> Rows => [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Jsonb.Parse(line))];

    /// <summary>Gets a column of each row.</summary>
    public IReadOnlyList<string?> Column(string name) => [.. Rows.Select(row => row.ToElement().GetProperty(name).ToString())];
}
