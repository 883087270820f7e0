using System.Globalization;
using CrawlData.Dashboard.Actions;
using CrawlData.Dashboard.Reads;
using Microsoft.AspNetCore.Http;

namespace CrawlData.Dashboard.Screens;

/// <summary>A request for a screen, with its way to rows.</summary>
internal sealed class ScreenRequest(HttpContext context, RowReads rows, DateTimeOffset now, CrawlDataDashboardOptions options)
{
    public RowReads Rows => rows;

    public Query Query { get; } = new(context.Request.Query);

    /// <summary>Gets whether the answer is JSON.</summary>
    public bool IsApi => context.Request.Path.Value!.Contains("/api/v1/", StringComparison.Ordinal);

    public DateTimeOffset Now => now;

    public CrawlDataDashboardOptions Options => options;

    public TimeSpan StaleAfter => options.StaleAfter;

    /// <summary>Gets which event types are errors.</summary>
    public Func<string, bool> IsErrorType => options.IsErrorType;

    /// <summary>Returns the actions that a status allows, if the policy allows the user to act.</summary>
    public async Task<IReadOnlyList<ActionRule>> FindActionsAsync(IReadOnlyList<ActionRule> rules, string status)
    {
        if (options.ActionPolicy is not { } policy || rules.Where(rule => rule.Statuses.Contains(status)).ToList() is not { Count: > 0 } allowed)
        {
            return [];
        }

        return await ActionAccess.IsAllowedAsync(context, policy).ConfigureAwait(false) ? allowed : [];
    }

    /// <summary>Gets an id of the path. The route's constraint has checked it.</summary>
    public Guid Id => Guid.Parse((string)context.Request.RouteValues["id"]!, CultureInfo.InvariantCulture);

    /// <summary>Gets an artifact's id of the path. The route's constraint has checked it.</summary>
    public Guid ArtifactId => Guid.Parse((string)context.Request.RouteValues["artifact"]!, CultureInfo.InvariantCulture);

    /// <summary>Gets an event's id of the path. The route's constraint has checked it.</summary>
    public long EventId => long.Parse((string)context.Request.RouteValues["event"]!, CultureInfo.InvariantCulture);
}
