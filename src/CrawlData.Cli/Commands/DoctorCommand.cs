using System.CommandLine;
using CrawlData.Diagnostics;
using CrawlData.Storage;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata doctor</c>: finds what voids a promise of the library, and what an operator has to mend.</summary>
internal sealed class DoctorCommand : ToolCommand
{
    public const string CommandName = "doctor";

    public const string Summary = "Finds what can lose rows and what an operator has to mend, and prints the command that mends it.";

    private static readonly string[] Checks =
    [
        "settings", "tables", "rights", "journals", "sequences", "partitions", "scripts", "indexes", "vacuum", "wraparound", "standbys", "slots", "citus",
        "stale", "artifacts",
    ];

    private readonly Option<TimeSpan?> stale = CommandParameters.Stale(
        "The time without a sign of life after which a running run or session is found. The default is 1h.");

    private readonly Option<string[]> ignore = new("--ignore")
    {
        Description = $"Leave out the findings of a check: {string.Join(", ", Checks)}. Several are given with commas, or each with the option.",
        HelpName = "CHECK",
    };

    private readonly OutputFormat format = new();

    public DoctorCommand() : base(CommandName, Summary, """
        It looks at settings, rights, sequences, scripts, indexes, dead rows, transaction ids, standbys, replication slots, a Citus cluster, stale runs and
        sessions, and expired artifacts. An error voids a promise of the library. A warning waits for you. "unchecked" is what this role may not see.

        Exit codes: 0 nothing is found, 3 something is found, 1 the checks failed, 2 wrong usage.

        It changes nothing, and works on a standby too. Settings are those of this connection's role and database: connect as the application does.

          crawldata doctor --ignore artifacts || mail -s "the crawl database" me
        """)
    {
        ignore.CustomParser = result => CommandParameters.ParseAll(
            result,
            result.Tokens.SelectMany(token => token.Value.Split(',')),
            "--ignore",
            $"one of {string.Join(", ", Checks)}",
            (string token, out string value) => Checks.Contains(value = token));
        ignore.CompletionSources.Add(Checks);
        Add(stale);
        Add(ignore);
        format.AddTo(this);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var options = arguments.GetValue(stale) is { } silentFor ? new DatabaseDoctorOptions { SilentFor = silentFor } : null;
        var ignored = arguments.GetValues(ignore) ?? [];
        var findings = (await new DatabaseDoctor(dataSource).CheckAllAsync(options, cancellationToken))
            .Where(finding => !ignored.Contains(finding.Check)).ToList();
        if (format.IsTable(arguments))
        {
            foreach (var finding in findings)
            {
                Terminal.WriteLine($"{finding.Severity.ToLabel()}: {finding.Check}: {finding.Subject} is {finding.Value}");
                Terminal.WriteLine($"  {finding.Effect}");
                Terminal.WriteLine($"  {finding.Remedy}");
            }

            if (findings.Count == 0)
            {
                Terminal.WriteLine("Nothing is found.");
            }
        }
        else
        {
            await using var rows = new RowWriter();
            foreach (var finding in findings)
            {
                await rows.WriteAsync(finding, cancellationToken);
            }
        }

        return findings.Count == 0 ? 0 : VerifyCommand.Differs;
    }
}
