using System.CommandLine;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata run retry</c>: makes a run that tries again what another run did not complete.</summary>
internal sealed class RunRetryCommand : ActCommand
{
    private readonly Argument<IdText> id = CommandParameters.Crawl("RUN");

    private readonly Option<TimeSpan?> delay = CommandParameters.Duration("--delay", "How long no worker claims the new run. The default is no delay.");

    private readonly Option<int?> maxAttempts =
        CommandParameters.Positive("--max-attempts", "Refuse when there were that many attempts. The default is no limit.");

    public RunRetryCommand() : base("retry", "Retries a run that is FAILED or CANCELLED: creates a PENDING run like it, and writes the new id.", """
        The old run and its events stay as they are. A run is retried once, and then its retry is: the error names that one.

        Redirected, it writes the new run's id alone. With --json it writes the attempt, with the ids of both runs.
        """, makesRow: true)
    {
        Add(id);
        Add(delay);
        Add(maxAttempts);
    }

    protected override async Task<Change> ChangeAsync(ParseResult arguments, NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        var most = arguments.GetValue(maxAttempts);
        var runId = await arguments.GetRequiredValue(id).ToCrawlIdAsync(dataSource, cancellationToken);
        var retry = await new CrawlRunQueue(dataSource, notify: true).RetryAsync(
            runId, arguments.GetValue(delay), most, cancellationToken: cancellationToken);
        if (retry.Outcome == TransitionOutcome.Refused)
        {
            if (retry.Row!.RetriedBy is { } other)
            {
                throw new RefusedException($"Crawl {runId} is retried already, by crawl {other}. Retry that one.");
            }

            if (retry.Row.Number >= most)
            {
                throw new RefusedException($"Crawl {runId} is at attempt {retry.Row.Number}, and --max-attempts is {most}.");
            }
        }

        var attempt = retry.EnsureApplied();
        var when = attempt.NotBefore is { } time ? $"; no worker claims it before {Terminal.FormatFull(time)}" : "";
        return new Change($"Run {attempt.RunId} retries run {runId}, as attempt {attempt.Number}: it is PENDING{when}.", attempt, attempt.RunId);
    }
}
