using System.CommandLine;

namespace CrawlData.Cli.Commands;

/// <summary>A command with a summary for the list of commands, and with details for its own help.</summary>
/// <param name="name">The name.</param>
/// <param name="summary">One sentence, which is also in the list of commands.</param>
/// <param name="details">Paragraphs for the command's own help, as <see cref="HelpText"/> takes them.</param>
internal abstract class ToolCommand(string name, string summary, string? details = null) : Command(name, summary)
{
    public string? Details { get; } = details;

    /// <summary>The time that the command has to end after Ctrl+C or SIGTERM.</summary>
    public virtual TimeSpan TimeAfterCancel(ParseResult arguments) => TimeSpan.FromSeconds(2);
}
