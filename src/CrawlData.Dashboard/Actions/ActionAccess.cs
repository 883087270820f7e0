using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace CrawlData.Dashboard.Actions;

/// <summary>Asks ASP.NET's authorization whether a user may act.</summary>
internal static class ActionAccess
{
    public const string Refusal = "The policy of the application does not let you act here.\n";

    /// <summary>Returns whether the policy allows the user of a request. The endpoints require the policy too, but <c>AllowAnonymous</c> on the dashboard would
    /// turn that off.</summary>
    public static async Task<bool> IsAllowedAsync(HttpContext context, string policy) =>
        (await context.RequestServices.GetRequiredService<IAuthorizationService>().AuthorizeAsync(context.User, context, policy).ConfigureAwait(false))
            .Succeeded;
}
