using System.CommandLine;
using CrawlData.Crawls;
using CrawlData.Storage;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata diff</c>: compares two runs.</summary>
internal sealed class DiffCommand : ToolCommand
{
    public const string CommandName = "diff";

    public const string Summary = "Compares two runs by a key, such as the URL: what was added, removed or changed.";

    private const int DefaultRows = 100;

    private readonly Argument<IdText> older = CommandParameters.Crawl("OLDER");

    private readonly Argument<IdText> newer = CommandParameters.Crawl("NEWER");

    private readonly Option<string?> key = new("--key")
    {
        Description = $"The property of the payloads by which events are compared. The default is {new CrawlComparisonOptions().Key}.",
        HelpName = "PROPERTY",
    };

    private readonly Option<string[]> types = CommandParameters.EventTypes();

    private readonly Option<string[]> properties = new("--property")
    {
        Description = "Compare only this property of the payloads. May be given several times. The default is all, so that durations count as changes.",
        HelpName = "PROPERTY",
    };

    private readonly Option<bool> keysOnly = new("--keys-only") { Description = "Compare no property: show only what was added and removed." };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most differences to list. The default is {DefaultRows} in a table, and all otherwise.");

    private readonly OutputFormat format = new();

    public DiffCommand() : base(CommandName, Summary, """
        Of the events of one type and one key, the last of each run counts. Events without the key are left out.

          crawldata diff 019ac5e2 019ac7f0 --type page.opened --property title

        Exit codes: 0 no difference, 3 a difference, 1 the comparison failed, 2 wrong usage.
        """)
    {
        Add(older);
        Add(newer);
        Add(key);
        Add(types);
        Add(properties);
        Add(keysOnly);
        Add(limit);
        format.AddTo(this);
        Validators.Add(result =>
        {
            if (result.GetValue(keysOnly) && result.GetResult(properties) is not null)
            {
                result.AddError("--property and --keys-only exclude each other");
            }
        });
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var (olderId, newerId) = (await FindAsync(older), await FindAsync(newer));
        var options = new CrawlComparisonOptions
        {
            EventTypes = arguments.GetValues(types),
            Properties = arguments.GetValue(keysOnly) ? [] : arguments.GetValues(properties),
        };
        options = arguments.GetValue(key) is { } given ? options with { Key = given } : options;
        var differences = new CrawlEventRepository(dataSource).CompareAsync(olderId, newerId, options, cancellationToken: cancellationToken);
        var most = arguments.GetValue(limit);
        if (format.IsTable(arguments))
        {
            return await ShowAsync(differences, most ?? DefaultRows, cancellationToken);
        }

        var any = false;
        await using var rows = new RowWriter();
        await foreach (var difference in differences.Take(most ?? int.MaxValue).WithCancellation(cancellationToken))
        {
            any = true;
            await rows.WriteAsync(difference, cancellationToken);
        }

        return any ? VerifyCommand.Differs : 0;

        // A mistyped run has no events: all would count as removed.
        async Task<Guid> FindAsync(Argument<IdText> argument)
        {
            var id = await arguments.GetRequiredValue(argument).ToCrawlIdAsync(dataSource, cancellationToken);
            return await new CrawlRunRepository(dataSource).GetAsync(id, cancellationToken: cancellationToken) is null
                ? throw new UnknownIdException("crawl", id)
                : id;
        }
    }

    private static async Task<int> ShowAsync(IAsyncEnumerable<CrawlDifference> differences, int most, CancellationToken cancellationToken)
    {
        var counts = new Dictionary<CrawlDifferenceKind, long>();
        var table = Terminal.Table(flexible: "key", "", "type", "event", "key");
        await foreach (var difference in differences.WithCancellation(cancellationToken))
        {
            counts[difference.Kind] = counts.GetValueOrDefault(difference.Kind) + 1;
            if (table.Count < most)
            {
                table.AddCells(
                    [difference.Kind.ToLabel(), difference.EventType, $"{difference.NewerEventId ?? difference.OlderEventId}", difference.Key],
                    difference.ChangedProperties.Count > 0 ? string.Join(", ", difference.ChangedProperties) : null);
            }
        }

        table.Show("No difference.");
        if (counts.Count == 0)
        {
            return 0;
        }

        Terminal.WriteLine(
            string.Join(", ", Enum.GetValues<CrawlDifferenceKind>().Select(kind => $"{counts.GetValueOrDefault(kind):N0} {kind.ToLabel()}")) + "."
            + (counts.Values.Sum() > table.Count ? $" These are the first {table.Count:N0}: --limit N shows more; --json writes all." : ""));
        return VerifyCommand.Differs;
    }
}
