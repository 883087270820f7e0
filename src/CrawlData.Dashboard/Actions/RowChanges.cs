using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Actions;

/// <summary>Makes the changes of operators, through the repositories of the application. They write to the primary.</summary>
internal sealed class RowChanges(CrawlRunRepository runs, CrawlRunQueue runQueue, AuditSessionQueue sessions)
{
    /// <summary>Changes a run.</summary>
    /// <returns>The run to look at next, and the row for JSON.</returns>
    /// <exception cref="TransitionRefusedException">The run's status does not allow it.</exception>
    /// <exception cref="RowNotFoundException">There is no such run.</exception>
    public async Task<(Guid Next, object Row)> ChangeRunAsync(ActionRule rule, Guid id, ActionForm form, CancellationToken cancellationToken)
    {
        if (rule.Name == "retry")
        {
            var attempt = (await runQueue.RetryAsync(id, cancellationToken: cancellationToken).ConfigureAwait(false)).EnsureApplied();
            return (attempt.RunId, attempt);
        }

        var transition = rule.NeedsReason
            ? await runs.FailAsync(id, form.Reason, cancellationToken: cancellationToken).ConfigureAwait(false)
            : await runs.CancelAsync(id, cancellationToken: cancellationToken).ConfigureAwait(false);
        return (id, transition.EnsureApplied());
    }

    /// <summary>Changes a session.</summary>
    /// <inheritdoc cref="ChangeRunAsync"/>
    public async Task<(Guid Next, object Row)> ChangeSessionAsync(ActionRule rule, Guid id, ActionForm form, CancellationToken cancellationToken)
    {
        var transition = rule.Name switch
        {
            "requeue" => await sessions.RequeueAsync(id, cancellationToken: cancellationToken).ConfigureAwait(false),
            "fail" => await sessions.FailAsync(id, form.Attempt, form.Reason, cancellationToken: cancellationToken).ConfigureAwait(false),
            _ => await sessions.ReleaseAsync(id, form.Attempt, cancellationToken: cancellationToken).ConfigureAwait(false),
        };
        return (id, transition.EnsureApplied());
    }
}
