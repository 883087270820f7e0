using System.CommandLine;

namespace CrawlData.Cli.Commands;

/// <summary>A command with a summary, which stands in the list of commands too, and details, which stand in its own help alone.</summary>
internal abstract class ToolCommand(string name, string summary, string? details = null) : Command(name, summary)
{
    public string? Details { get; } = details;
}
