using System.CommandLine;
using CrawlData.Diagnostics;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata doctor</c>: finds what voids a promise of the library.</summary>
internal sealed class DoctorCommand : ToolCommand
{
    private readonly OutputFormat format = new();

    public DoctorCommand() : base("doctor", "Finds settings and states of the database that can lose rows, and prints how to mend them.", """
        Exit codes: 0 nothing is found, 3 something is found, 1 the checks failed, 2 wrong usage.

        It changes nothing, and works on a standby too. Settings are those of this connection's role and database: connect as the application does.
        """)
    {
        format.AddTo(this);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var findings = await new DatabaseDoctor(dataSource).CheckAsync(cancellationToken);
        if (format.IsTable(arguments))
        {
            foreach (var finding in findings)
            {
                Terminal.WriteLine($"{finding.Check}: {finding}");
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
