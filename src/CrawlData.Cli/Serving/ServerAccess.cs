using System.Buffers.Text;
using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace CrawlData.Cli.Serving;

/// <summary>Lets a request through that is for a host of the list, and comes from a browser that has shown a token. That is the token of the printed link,
/// which works once, or the token that whoever started the server has chosen.</summary>
internal sealed class ServerAccess(DashboardServerOptions options)
{
    public const string TokenName = "token";

    private const string NoLink = """
        This dashboard needs the link that crawldata printed when it started. The link works once, in one browser, and that browser keeps a cookie.

        - In that browser, load this page again: the cookie is not sent when a page of another site leads here.
        - In another browser, start crawldata again, and open the new link.

        """;

    private const string NoToken = """
        <!DOCTYPE html>
        <html lang="en">
        <head><meta charset="utf-8" /><meta name="viewport" content="width=device-width" /><meta name="color-scheme" content="light dark" />
        <title>Sign in · CrawlData</title></head>
        <body>
        <main>
        <h1>CrawlData</h1>
        <form method="post"><label>Token of this dashboard <input type="password" name="token" autocomplete="current-password" required autofocus /></label>
        <button>Sign in</button></form>
        <p>Whoever started this dashboard has the token. A program sends it as <code>Authorization: Bearer TOKEN</code>.</p>
        </main>
        </body>
        </html>
        """;

    private static readonly ClaimsPrincipal User = new(new ClaimsIdentity([new Claim(ClaimTypes.Name, Environment.UserName)], "token"));

    private readonly string secret = NewSecret();
    private readonly HashSet<string> hosts = new(options.Hosts, StringComparer.OrdinalIgnoreCase);
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool isUsed;

    /// <summary>Gets what completes when the first browser has shown the token.</summary>
    public Task Opened => opened.Task;

    /// <summary>Gets the token of the link; null when whoever started the server has chosen one.</summary>
    public string? OneTimeToken { get; } = options.Token is null ? NewSecret() : null;

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        if (!IsKnown(request.Host.Host))
        {
            await RefuseAsync(
                context, "text/plain", $"This dashboard does not answer for the host of this address. crawldata serve --host NAME lets it.\n");
        }
        else if (HasShownToken(context))
        {
            if (request.Query.ContainsKey(TokenName))
            {
                // The link again, in the browser that has used it.
                Redirect(context);
                return;
            }

            context.User = User;
            await next(context);
        }
        else if (await ShowsTokenAsync(request))
        {
            opened.TrySetResult();
            context.Response.Cookies.Append(
                CookieName(context),
                secret,
                new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = request.IsHttps, Path = "/" });
            Redirect(context);
        }
        else if (OneTimeToken is null)
        {
            await RefuseAsync(context, "text/html", NoToken);
        }
        else
        {
            await RefuseAsync(context, "text/plain", NoLink);
        }
    }

    // A page of another site may have a name that leads to this machine. It has no address that does.
    private bool IsKnown(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || hosts.Contains(host)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address)
            && (IPAddress.IsLoopback(address) || !IPAddress.IsLoopback(options.Address)));

    private bool HasShownToken(HttpContext context) =>
        AreEqual(context.Request.Cookies[CookieName(context)], secret)
        || (options.Token is { } token && AreEqual($"{context.Request.Headers.Authorization}", $"Bearer {token}"));

    private async Task<bool> ShowsTokenAsync(HttpRequest request)
    {
        if (options.Token is { } token)
        {
            return HttpMethods.IsPost(request.Method) && request.HasFormContentType
                && AreEqual((await request.ReadFormAsync(request.HttpContext.RequestAborted))[TokenName], token);
        }

        return HttpMethods.IsGet(request.Method) && AreEqual(request.Query[TokenName], OneTimeToken!) && !Interlocked.Exchange(ref isUsed, true);
    }

    // Cookies know no ports: two servers of this machine have one each.
    private static string CookieName(HttpContext context) => $"crawldata-{context.Connection.LocalPort}";

    private static void Redirect(HttpContext context)
    {
        SetHeaders(context.Response);
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = "./";
    }

    private static Task RefuseAsync(HttpContext context, string contentType, string text)
    {
        SetHeaders(context.Response);
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        context.Response.ContentType = $"{contentType}; charset=utf-8";
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.WriteAsync(text, context.RequestAborted);
    }

    private static void SetHeaders(HttpResponse response)
    {
        var headers = response.Headers;
        headers.ContentSecurityPolicy = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
    }

    private static string NewSecret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    // The time that it takes says nothing about either.
    private static bool AreEqual(string? given, string expected) => CryptographicOperations.FixedTimeEquals(
        SHA256.HashData(Encoding.UTF8.GetBytes(given ?? "")), SHA256.HashData(Encoding.UTF8.GetBytes(expected)));
}
