using System.CommandLine;
using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata run create</c>: makes a run.</summary>
internal sealed class RunCreateCommand : ActCommand
{
    private readonly Option<string> app = new("--app") { Description = "The package name of the app to crawl.", HelpName = "PACKAGE", Required = true };

    private readonly Option<string?> goal = new("--goal") { Description = "The goal of the crawl, in words.", HelpName = "TEXT" };

    private readonly Option<int?> maxSteps = CommandParameters.Positive("--max-steps", "The most steps that the crawler may take. The default is 100.");

    private readonly Option<Jsonb?> device = CommandParameters.Json("--device", "The device that the crawl runs on, as JSON in your crawler's form.");

    private readonly Option<bool> start = new("--start")
    {
        Description = "Make it RUNNING at once, for the caller to crawl. A PENDING run is for any worker to claim.",
    };

    public RunCreateCommand() : base("create", "Creates a run, and writes its id.", """
        It is PENDING, and workers that wait for runs are notified. With --start it is RUNNING, and no worker can claim it in between.

        Redirected, it writes the id alone. With --json it writes the row.

          ID=$(crawldata run create --app org.example.app --start)
          my-crawler | crawldata append $ID && crawldata run complete $ID \
            || crawldata run fail $ID --error "it stopped"
        """, makesRow: true)
    {
        Add(app);
        Add(goal);
        Add(maxSteps);
        Add(device);
        Add(start);
    }

    protected override async Task<Change> ChangeAsync(ParseResult arguments, NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        var given = UsageException.ThrowIfInvalid(() => new NewCrawlRun
        {
            AppPackage = arguments.GetRequiredValue(app),
            Goal = arguments.GetValue(goal),
            MaxSteps = arguments.GetValue(maxSteps) ?? 100,
            DeviceConfig = arguments.GetValue(device),
        });
        var run = arguments.GetValue(start)
            ? await StartAsync(dataSource, given, cancellationToken)
            : await new CrawlRunRepository(dataSource, notify: true).InsertAsync(given, cancellationToken: cancellationToken);
        return new Change($"Created run {run.Id} of {run.AppPackage}: it is {run.Status.ToLabel()}.", run, run.Id);
    }

    /// <summary>Inserts and starts the run in one transaction, so others see it RUNNING. Its start has the time of the server's clock.</summary>
    private static async Task<CrawlRun> StartAsync(NpgsqlDataSource dataSource, NewCrawlRun given, CancellationToken cancellationToken)
    {
        var runs = new CrawlRunRepository(dataSource);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var run = await runs.InsertAsync(given, transaction, cancellationToken);
        var started = (await runs.StartAsync(run.Id, transaction, cancellationToken)).EnsureApplied();
        await transaction.CommitAsync(cancellationToken);
        return started;
    }
}
