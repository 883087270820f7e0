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

        // The parser would ignore what stands before a subcommand: the id in "run 019ac5e2 start 019ac7f0", and "run --json start".
        if (arguments.CommandResult.Parent is CommandResult { Command: not RootCommand } parent
            && parent.Children.Any(child => child is ArgumentResult { Tokens.Count: > 0 } or OptionResult { Implicit: false }))
        {
            throw new UsageException(
                $"'{arguments.CommandResult.Command.Name}' comes before ids and options: crawldata {Path(arguments.CommandResult)}--help shows the order.");
        }

        if (arguments.Action is ParseErrorAction action)
        {
            var mistyped = FindMistypedSubcommand(arguments.CommandResult);
            var what = mistyped ?? Describe(arguments, tokens) + DidYouMean(Suggest(arguments, action, arguments.CommandResult.Command.Children));
            throw new UsageException($"{what}; see crawldata {Path(arguments.CommandResult)}--help.");
        }
    }

    /// <summary>Makes a value from the command line's texts.</summary>
    /// <exception cref="UsageException">The library refuses one of them. The message names its column.</exception>
    public static T ThrowIfInvalid<T>(Func<T> make)
    {
        try
        {
            return make();
        }
        catch (InvalidValueException exception)
        {
            throw new UsageException(exception.Message);
        }
    }

    private static string Describe(ParseResult arguments, IEnumerable<string> tokens)
    {
        var message = arguments.UnmatchedTokens is [var unknown, ..] ? $"unknown command or argument '{unknown}'" : arguments.Errors[0].Message.TrimEnd('.');

        // The error may quote a connection string that is in the wrong position, with its password.
        return tokens.Where(token => token.Contains('=') || token.Contains("://", StringComparison.Ordinal))
            .Aggregate(message, (text, token) => text.Replace(token, "…", StringComparison.Ordinal));
    }

    // The parser takes the "craete" of "run craete" for the run's id, and suggests nothing.
    private static string? FindMistypedSubcommand(CommandResult result)
    {
        var names = result.Command.Subcommands.Select(subcommand => new Command(subcommand.Name)).ToList();
        if (names.Count == 0 || result.Tokens is not [{ Value: var token }, ..] || IdText.TryParse(token, out _))
        {
            return null;
        }

        var menu = new RootCommand();
        names.ForEach(menu.Add);
        var arguments = menu.Parse([token], new ParserConfiguration { ResponseFileTokenReplacer = null });
        var similar = arguments.Action is ParseErrorAction action ? Suggest(arguments, action, names) : [];
        return similar.Count == 0 ? null : $"unknown command '{token}'{DidYouMean(similar)}";
    }

    private static string DidYouMean(List<string> similar) => similar.Count == 0 ? "" : $"; did you mean {string.Join(" or ", similar)}?";

    // The parser finds similar names. It writes each on a line.
    private static List<string> Suggest(ParseResult arguments, ParseErrorAction action, IEnumerable<Symbol> symbols)
    {
        using var output = new StringWriter();
        action.ShowHelp = false;
        arguments.Invoke(new InvocationConfiguration { Output = output, Error = TextWriter.Null });
        var known = symbols.Concat(arguments.RootCommandResult.Command.Options).Select(symbol => symbol.Name);
        return [.. output.ToString().Split('\n').Select(line => line.Trim()).Intersect(known)];
    }

    private static IEnumerable<string> Flags(CommandResult result) =>
        result.Command.Options.Where(option => option.ValueType == typeof(bool)).Select(option => option.Name);

    private static string Path(CommandResult result) =>
        result.Command is RootCommand ? "" : $"{(result.Parent is CommandResult parent ? Path(parent) : "")}{result.Command.Name} ";
}
