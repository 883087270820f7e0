using System.CommandLine;
using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary>Commands that change a run's status: <c>crawldata run start</c>, <c>complete</c>, <c>fail</c> and <c>cancel</c>.</summary>
internal sealed class RunChangeCommand : ActCommand
{
    private readonly Argument<IdText> id = CommandParameters.Crawl("RUN");
    private readonly Func<CrawlRunRepository, Guid, ParseResult, CancellationToken, Task<Transition<CrawlRun>>> change;

    private RunChangeCommand(
        string name,
        string summary,
        string details,
        Func<CrawlRunRepository, Guid, ParseResult, CancellationToken, Task<Transition<CrawlRun>>> change,
        params Option[] options) : base(name, summary, details, makesRow: false)
    {
        this.change = change;
        Add(id);
        foreach (var option in options)
        {
            Add(option);
        }
    }

    public static RunChangeCommand Start() => new(
        "start",
        "Starts a run: PENDING → RUNNING.",
        "For a crawler that was given its run. It is refused when a worker has claimed the run.",
        (runs, id, _, cancellationToken) => runs.StartAsync(id, cancellationToken: cancellationToken));

    public static RunChangeCommand Complete() => new(
        "complete",
        "Completes a run: RUNNING → COMPLETED.",
        "Store all events before: readers that follow the run stop at its end.",
        (runs, id, _, cancellationToken) => runs.CompleteAsync(id, cancellationToken: cancellationToken));

    public static RunChangeCommand Fail()
    {
        var error = Error("The reason. It is kept with the run.");
        return new(
            "fail",
            "Fails a run, with a reason: PENDING or RUNNING → FAILED.",
            """
            A worker that has claimed the run can store no more events then. `crawldata run retry` makes a run that tries again.

              crawldata run fail 019ac5e2 --error "the device is gone"
            """,
                (runs, id, arguments, cancellationToken) => runs.FailAsync(id, arguments.GetRequiredValue(error), cancellationToken: cancellationToken),
            error);
    }

    public static RunChangeCommand Cancel() => new(
        "cancel",
        "Cancels a run: PENDING or RUNNING → CANCELLED.",
        "A worker that has claimed the run can store no more events then.",
        (runs, id, _, cancellationToken) => runs.CancelAsync(id, cancellationToken: cancellationToken));

    protected override async Task<Change> ChangeAsync(ParseResult arguments, NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        var runId = await arguments.GetRequiredValue(id).ToCrawlIdAsync(dataSource, cancellationToken);
        var run = (await change(new CrawlRunRepository(dataSource), runId, arguments, cancellationToken)).EnsureApplied();
        var after = run.StartedAt is { } started && (run.CompletedAt ?? run.CancelledAt) is { } ended ? $", after {Terminal.FormatAge(ended - started)}" : "";
        return new Change($"Run {run.Id} of {run.AppPackage} is now {run.Status.ToLabel()}{after}.", run);
    }
}
