using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace CrawlData.Cli;

/// <summary>The command line is wrong. The exit code is 2.</summary>
internal sealed class UsageException(string message) : Exception(message)
{
    /// <summary>Throws for the parser's first error, and for a value of an option that takes none.</summary>
    /// <exception cref="UsageException">The command line is wrong. The message has one line.</exception>
    public static void ThrowIfWrong(ParseResult arguments, IReadOnlyList<string> tokens)
    {
        // The parser takes the "no" of "--yes=no" for an argument, such as a file's name.
        var flag = Flags(arguments.CommandResult).Select(name => (Name: name, Token: tokens.FirstOrDefault(token => token.StartsWith(name + '='))))
            .FirstOrDefault(one => one.Token is { } token && !bool.TryParse(token[(one.Name.Length + 1)..], out _));
        if (flag.Token is not null)
        {
            throw new UsageException($"{flag.Name} takes no value, or true or false; see crawldata {Path(arguments.CommandResult)}--help.");
        }

        if (arguments.Action is ParseErrorAction action)
        {
            throw new UsageException($"{Describe(arguments, tokens)}{Suggest(arguments, action)}; see crawldata {Path(arguments.CommandResult)}--help.");
        }
    }

    private static string Describe(ParseResult arguments, IEnumerable<string> tokens)
    {
        var message = arguments.UnmatchedTokens is [var unknown, ..] ? $"unknown command or argument '{unknown}'" : arguments.Errors[0].Message.TrimEnd('.');

        // The error may quote a connection string that is in the wrong position, with its password.
        return tokens.Where(token => token.Contains('=') || token.Contains("://", StringComparison.Ordinal))
            .Aggregate(message, (text, token) => text.Replace(token, "…", StringComparison.Ordinal));
    }

    // The parser finds similar names. It writes each on a line.
    private static string Suggest(ParseResult arguments, ParseErrorAction action)
    {
        using var output = new StringWriter();
        action.ShowHelp = false;
        arguments.Invoke(new InvocationConfiguration { Output = output, Error = TextWriter.Null });
        var known = arguments.CommandResult.Command.Children.OfType<Symbol>().Concat(arguments.RootCommandResult.Command.Options).Select(symbol => symbol.Name);
        var similar = output.ToString().Split('\n').Select(line => line.Trim()).Intersect(known).ToList();
        return similar.Count == 0 ? "" : $"; did you mean {string.Join(" or ", similar)}?";
    }

    private static IEnumerable<string> Flags(CommandResult result) =>
        result.Command.Options.Where(option => option.ValueType == typeof(bool)).Select(option => option.Name);

    private static string Path(CommandResult result) =>
        result.Command is RootCommand ? "" : $"{(result.Parent is CommandResult parent ? Path(parent) : "")}{result.Command.Name} ";
}
