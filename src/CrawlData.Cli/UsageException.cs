using System.CommandLine;

namespace CrawlData.Cli;

/// <summary>The command line asks for what cannot be done: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message)
{
    /// <summary>What the parser found, in one line.</summary>
    public static UsageException Of(ParseResult arguments, IEnumerable<string> tokens)
    {
        var message = arguments.UnmatchedTokens is [var unknown, ..] ? $"unknown command or argument '{unknown}'" : arguments.Errors[0].Message.TrimEnd('.');

        // A connection string in the wrong place would be quoted, password and all.
        message = tokens.Where(token => token.Contains('=') || token.Contains("://", StringComparison.Ordinal))
            .Aggregate(message, (text, token) => text.Replace(token, "…", StringComparison.Ordinal));
        var command = arguments.CommandResult.Command;
        return new UsageException($"{message}; crawldata {(command is RootCommand ? "" : command.Name + " ")}--help says how.");
    }
}
