using System.CommandLine;
using System.Text.Json.Serialization;
using CrawlData.Schema;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata verify</c>: compares the schema with the scripts.</summary>
internal sealed class VerifyCommand : ToolCommand
{
    public const string CommandName = "verify";

    public const string Summary = "Compares the schema with the scripts, and prints what is missing, changed or extra.";

    /// <summary>The exit code when the schema differs.</summary>
    public const int Differs = 3;

    private readonly OutputFormat format = new();

    public VerifyCommand() : base(CommandName, Summary, """
        Exit codes: 0 the schema matches, 3 it differs, 1 the comparison failed, 2 wrong usage.

        It changes nothing. Additional indexes that are not unique, and other objects in the schema, are not differences. It runs the scripts on temporary
        tables to compare with, so it needs the primary. It also needs SELECT on crawldata_journal.
        """)
    {
        format.AddTo(this);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var differences = await new SchemaMigrator(dataSource).VerifySchemaAsync(cancellationToken);
        if (!format.IsTable(arguments))
        {
            await using var rows = new RowWriter();
            foreach (var difference in differences)
            {
                var row = new DifferenceRow
                {
                    Kind = ToText(difference.Kind),
                    Element = difference.Element,
                    Expected = difference.Expected,
                    Actual = difference.Actual,
                    Remedy = difference.Remedy,
                };
                await rows.WriteAsync(row, cancellationToken);
            }
        }
        else
        {
            // A changed element has two rows, so that its definitions stand one below the other.
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
                    table.AddCells(kind, element, "actual", actual);
                }

                if (difference.Remedy is { } remedy)
                {
                    table.AddCells("", "", "remedy", remedy);
                }
            }

            table.Show("The schema matches the scripts.");
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

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public required string? Remedy { get; init; }
    }
}
