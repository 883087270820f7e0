using System.CommandLine;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary>A command that makes or changes one row, and writes one line that says what changed.</summary>
internal abstract class ActCommand : ToolCommand
{
    private readonly OutputFormat format;

    /// <param name="name">The name.</param>
    /// <param name="summary">One sentence.</param>
    /// <param name="details">Paragraphs for the command's own help.</param>
    /// <param name="makesRow">Whether it makes a row, whose id it then writes into a pipe.</param>
    protected ActCommand(string name, string summary, string details, bool makesRow) : base(name, summary, details)
    {
        format = makesRow
            ? new OutputFormat("the row as JSON", "The default is its id alone when the output is redirected.")
            : new OutputFormat("the row as JSON");
        format.AddTo(this);
        SetAction(RunAsync);
    }

    /// <summary>Makes the change.</summary>
    /// <exception cref="TransitionRefusedException">The row's status does not allow it.</exception>
    /// <exception cref="RefusedException">It is refused for another reason.</exception>
    /// <exception cref="RowNotFoundException">There is no such row.</exception>
    protected abstract Task<Change> ChangeAsync(ParseResult arguments, NpgsqlDataSource dataSource, CancellationToken cancellationToken);

    protected static Option<string> Error(string description) => new("--error") { Description = description, HelpName = "TEXT", Required = true };

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var change = await ChangeAsync(arguments, dataSource, cancellationToken);
        if (format.IsTable(arguments))
        {
            Terminal.WriteLine(change.Sentence);
        }
        else if (change.NewId is { } id && !format.IsJson(arguments))
        {
            Console.WriteLine(id);
        }
        else
        {
            await using var rows = new RowWriter();
            await rows.WriteAsync(change.Row, cancellationToken);
        }
    }
}
