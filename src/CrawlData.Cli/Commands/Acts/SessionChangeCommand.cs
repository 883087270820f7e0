using System.CommandLine;
using CrawlData.Audits;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary>Commands that change an audit session's status: <c>crawldata session requeue</c>, <c>fail</c> and <c>release</c>.</summary>
internal sealed class SessionChangeCommand : ActCommand
{
    private readonly Argument<IdText> id = CommandParameters.Session();
    private readonly Func<AuditSession, string> describe;
    private readonly Option<int?>? attempt;
    private readonly Func<AuditSessionQueue, Guid, int, ParseResult, CancellationToken, Task<Transition<AuditSession>>> change;

    private SessionChangeCommand(
        string name,
        string summary,
        string details,
        Func<AuditSession, string> describe,
        Option<int?>? attempt,
        Func<AuditSessionQueue, Guid, int, ParseResult, CancellationToken, Task<Transition<AuditSession>>> change,
        params Option[] options) : base(name, summary, details, makesRow: false)
    {
        (this.describe, this.attempt, this.change) = (describe, attempt, change);
        Add(id);
        foreach (var option in attempt is null ? options : options.Append(attempt))
        {
            Add(option);
        }
    }

    public static SessionChangeCommand Requeue() => new(
        "requeue",
        "Queues a session for another attempt: failed or partial → queued.",
        "It keeps its place in the queue, which is ordered by time of creation. Workers that wait for sessions are notified.",
        session => $"Session {session.Id} of {session.Url} is now queued, after attempt {session.Attempts}.",
        null,
        (queue, id, _, _, cancellationToken) => queue.RequeueAsync(id, cancellationToken: cancellationToken));

    public static SessionChangeCommand Fail()
    {
        var error = Error("The reason. It is kept with the session.");
        return new(
            "fail",
            "Fails a running session, with a reason: running → failed.",
            """
            The changes of a worker that still has the session are refused then. `crawldata session requeue` queues it again.

              crawldata session fail 019ac5e2 --error "the site blocks us"
            """,
            session => $"Session {session.Id} of {session.Url} is now failed, at attempt {session.Attempts}.",
            Attempt(),
            (queue, id, attempt, arguments, cancellationToken) =>
                queue.FailAsync(id, attempt, arguments.GetRequiredValue(error), cancellationToken: cancellationToken),
            error);
    }

    public static SessionChangeCommand Release() => new(
        "release",
        "Hands a running session back to the queue: running → queued.",
        """
        For a session whose worker is gone. The changes of a worker that still has it are refused then. The attempt does not count against the most attempts
        of the workers. Workers that wait for sessions are notified.
        """,
        session => $"Session {session.Id} of {session.Url} is now queued, and attempt {session.Attempts} does not count.",
        Attempt(),
        (queue, id, attempt, _, cancellationToken) => queue.ReleaseAsync(id, attempt, cancellationToken: cancellationToken));

    protected override async Task<Change> ChangeAsync(ParseResult arguments, NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        var sessionId = await arguments.GetRequiredValue(id).ToSessionIdAsync(dataSource, cancellationToken);
        var expected = attempt is null ? 0
            : arguments.GetValue(attempt) ?? (await SessionCommand.RequireAsync(dataSource, sessionId, cancellationToken)).Attempts;
        var transition = await change(new AuditSessionQueue(dataSource, notify: true), sessionId, expected, arguments, cancellationToken);
        if (attempt is not null && transition is { Outcome: TransitionOutcome.Refused, Row: { Status: AuditSessionStatus.Running, Attempts: var actual } })
        {
            throw new RefusedException($"Session {sessionId} is running at attempt {actual}, and not at attempt {expected}. Look at it again.");
        }

        var session = transition.EnsureApplied();
        return new Change(describe(session), session);
    }

    private static Option<int?> Attempt() => CommandParameters.Positive(
        "--attempt", "The attempt that it is for. Refuse when the session is at another. The default is the attempt that it is at when the command starts.");
}
