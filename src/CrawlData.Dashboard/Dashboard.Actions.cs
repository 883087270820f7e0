using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Dashboard.Actions;
using CrawlData.Dashboard.Api;
using CrawlData.Dashboard.Pages;
using CrawlData.Dashboard.Screens;
using CrawlData.Dashboard.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace CrawlData.Dashboard;

/// <summary>The actions of operators. They are mapped only under a policy of the application: a page that asks, and the POST that does it.</summary>
internal sealed partial class Dashboard
{
    private static readonly string[] PostMethods = [HttpMethods.Post];

    private void MapActions(IEndpointRouteBuilder endpoints)
    {
        if (options.ActionPolicy is not { } policy)
        {
            return;
        }

        var changes = new RowChanges(
            Find<CrawlRunRepository>(services, options.ServiceKey),
            Find<CrawlRunQueue>(services, options.ServiceKey),
            Find<AuditSessionQueue>(services, options.ServiceKey));
        foreach (var rule in ActionRule.OfRuns)
        {
            MapAction(endpoints, policy, "runs", rule, ActionView.OfRunAsync, changes.ChangeRunAsync);
        }

        foreach (var rule in ActionRule.OfSessions)
        {
            MapAction(endpoints, policy, "sessions", rule, ActionView.OfSessionAsync, changes.ChangeSessionAsync);
        }
    }

    private void MapAction(
        IEndpointRouteBuilder endpoints,
        string policy,
        string list,
        ActionRule rule,
        Func<ActionRule, ScreenRequest, Task<ActionView?>> ask,
        Func<ActionRule, Guid, ActionForm, CancellationToken, Task<(Guid Next, object Row)>> change)
    {
        var path = $"{list}/{{id:guid}}/{rule.Name}";
        var read = FromRows(request => ask(rule, request));
        MapUnderPolicy(path, isApi: false, Methods, async context =>
        {
            var view = await read(context).ConfigureAwait(false);
            await (view is null
                ? WriteProblemAsync(context, path, Problem.NotFound, isApi: false)
                : PageRenderer.WriteAsync<ActionPage>(context, ContextOf(context, path, rule.Title, null), view)).ConfigureAwait(false);
        });
        MapUnderPolicy(path, isApi: false, PostMethods, context => ActAsync(context, list, rule, isApi: false, change));
        MapUnderPolicy($"api/v1/{path}", isApi: true, PostMethods, context => ActAsync(context, list, rule, isApi: true, change));

        void MapUnderPolicy(string route, bool isApi, string[] methods, RequestDelegate answer) =>
            Map(
                endpoints,
                route,
                isApi,
                async context => await (await ActionAccess.IsAllowedAsync(context, policy).ConfigureAwait(false)
                    ? answer(context)
                    : RefuseAsync(context, ActionAccess.Refusal)).ConfigureAwait(false),
                methods).RequireAuthorization(policy);
    }

    private async Task ActAsync(
        HttpContext context,
        string list,
        ActionRule rule,
        bool isApi,
        Func<ActionRule, Guid, ActionForm, CancellationToken, Task<(Guid Next, object Row)>> change)
    {
        if (!SameOrigin.IsSent(context.Request))
        {
            await RefuseAsync(context, SameOrigin.Refusal).ConfigureAwait(false);
            return;
        }

        var form = await ActionForm.ReadAsync(context).ConfigureAwait(false);
        var (id, user) = (Guid.Parse((string)context.Request.RouteValues["id"]!), context.User.Identity?.Name ?? "(no name)");
        try
        {
            // Not cancelled when the client leaves: whoever asks for a change gets it whole.
            var (next, row) = await database.ReadAsync(cancellationToken => change(rule, id, form, cancellationToken), CancellationToken.None)
                .ConfigureAwait(false);
            LogAction(logger, user, rule.Name, list, id);
            if (isApi)
            {
                await ApiResponse.WriteAsync(context, Redacted(row)).ConfigureAwait(false);
                return;
            }

            context.Response.StatusCode = StatusCodes.Status303SeeOther;
            context.Response.Headers.Location = $"../{next}";
        }
        catch (Exception exception) when (exception is TransitionRefusedException or RowNotFoundException)
        {
            LogRefusedAction(logger, user, rule.Name, list, id);
            throw;
        }
        catch (InvalidValueException exception)
        {
            throw new BadFormException("error", exception.Reason);
        }
        catch (TimeoutException exception)
        {
            throw new ActionUnknownException(exception);
        }
    }

    private object Redacted(object row) => row switch
    {
        CrawlRun run => redaction.Of(run),
        AuditSession session => redaction.Of(session),
        _ => row,
    };

    [LoggerMessage(EventId = 2, EventName = "DashboardAction", Level = LogLevel.Information, Message = "{User}: {Action} of {List} {Id} is done.")]
    private static partial void LogAction(ILogger logger, string user, string action, string list, Guid id);

    [LoggerMessage(
        EventId = 3, EventName = "DashboardActionRefused", Level = LogLevel.Information, Message = "{User}: {Action} of {List} {Id} is refused by its state.")]
    private static partial void LogRefusedAction(ILogger logger, string user, string action, string list, Guid id);
}
