using System.CommandLine;

namespace CrawlData.Cli;

/// <summary>The command line is wrong. The exit code is 2.</summary>
internal sealed class UsageException(string message) : Exception(message)
{
    /// <summary>Makes an exception with the parser's first error, in one line.</summary>
    public static UsageException Of(ParseResult arguments, IEnumerable<string> tokens)
    {
        var message = arguments.UnmatchedTokens is [var unknown, ..] ? $"unknown command or argument '{unknown}'" : arguments.Errors[0].Message.TrimEnd('.');

        // The error may quote a connection string that is in the wrong position, with its password.
        message = tokens.Where(token => token.Contains('=') || token.Contains("://", StringComparison.Ordinal))
            .Aggregate(message, (text, token) => text.Replace(token, "…", StringComparison.Ordinal));
        var command = arguments.CommandResult.Command;
        return new UsageException($"{message}; see crawldata {(command is RootCommand ? "" : command.Name + " ")}--help.");
    }
}
