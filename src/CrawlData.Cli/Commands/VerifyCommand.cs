using System.CommandLine;
using CrawlData.Schema;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata verify</c>: compares the schema with what the scripts make.</summary>
internal sealed class VerifyCommand : ToolCommand
{
    /// <summary>The exit code when there are differences.</summary>
    public const int Differs = 3;

    private readonly Option<bool> json = CommandParameters.Json();

    public VerifyCommand() : base("verify", "Compares the schema with what the scripts make, and prints what is missing, changed or extra.", """
        Exit codes: 0 it is as the scripts make it, 3 it differs, 1 it could not be compared, 2 wrong usage.

        It changes nothing. Further indexes that are not unique, and what else the schema holds beside the tables, are no difference. It runs on the primary, since what the scripts make is found in temporary tables, and takes SELECT on crawldata_journal.
        """)
    {
        Add(json);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var differences = await new SchemaMigrator(dataSource).VerifySchemaAsync(cancellationToken);
        if (!Terminal.IsForPeople(arguments, json))
        {
            await using var rows = new RowWriter();
            foreach (var difference in differences)
            {
                await rows.WriteAsync(
                    new DifferenceRow { Kind = ToText(difference.Kind), Element = difference.Element, Expected = difference.Expected, Actual = difference.Actual },
                    cancellationToken);
            }
        }
        else
        {
            // What is changed takes two rows, one below the other, so that both can be read.
            var table = Terminal.Table(flexible: "definition", "kind", "element", "", "definition");
            foreach (var difference in differences)
            {
                var (kind, element) = (ToText(difference.Kind), difference.Element);
                if (difference.Expected is { } expected)
                {
                    table.AddCells(kind, element, "expected", expected);
                    (kind, element) = ("", "");
                }

                if (difference.Actual is { } actual)
                {
                    table.AddCells(kind, element, "is", actual);
                }
            }

            table.Show("The schema is as the scripts make it.");
        }

        return differences.Count == 0 ? 0 : Differs;
    }

    private static string ToText(SchemaDifferenceKind kind) => kind switch
    {
        SchemaDifferenceKind.Missing => "missing",
        SchemaDifferenceKind.Changed => "changed",
        _ => "extra",
    };

    private sealed record DifferenceRow
    {
        public required string Kind { get; init; }

        public required string Element { get; init; }

        public required string? Expected { get; init; }

        public required string? Actual { get; init; }
    }
}
