// snippet: browser
using System.Text.Json;
using System.Threading.RateLimiting;
using CrawlData.Crawls;
using Microsoft.AspNetCore.Mvc;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddCrawlData(builder.Configuration.GetConnectionString("Crawls")!);
var heartbeat = builder.Configuration.GetValue("Heartbeat", TimeSpan.FromSeconds(15));

// A browser's EventSource sends cookies, and no other credentials.
builder.Services.AddAuthentication().AddCookie();
builder.Services.AddAuthorization();

// An open stream reads the database a few times a second.
builder.Services.AddRateLimiter(limiter =>
{
    limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
    limiter.AddPolicy("streams", context => RateLimitPartition.GetConcurrencyLimiter(
        context.User.Identity?.Name ?? "", _ => new ConcurrencyLimiterOptions { PermitLimit = 6 }));
});
var app = builder.Build();
app.UseRateLimiter();
app.MapGet("/crawls/{crawlId:guid}/events", StreamAsync).RequireAuthorization().RequireRateLimiting("streams");
// end snippet

SignIn.Map(app);

// snippet: browser
app.Run();

async Task StreamAsync(
    Guid crawlId, [FromHeader(Name = "Last-Event-ID")] long? lastEventId, CrawlRunRepository runs, CrawlEventRepository events, HttpContext context)
{
    // A host that stops waits for its requests. The browser reconnects with its last id.
    using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, app.Lifetime.ApplicationStopping);
    if (await runs.GetAsync(crawlId, cancellationToken: stop.Token) is null)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return;
    }

    context.Response.ContentType = "text/event-stream";
    context.Response.Headers.CacheControl = "no-cache,no-store";

    // Otherwise nginx holds back the first 4 kB.
    context.Response.Headers["X-Accel-Buffering"] = "no";
    await using var following = events.FollowAsync(crawlId, lastEventId, cancellationToken: stop.Token).GetAsyncEnumerator();
    var next = following.MoveNextAsync().AsTask();
    try
    {
        // The headers go out with the first frame, even if nothing happens in the crawl.
        await context.Response.WriteAsync("retry: 1000\n\n", stop.Token);
        while (true)
        {
            try
            {
                if (!await next.WaitAsync(heartbeat, stop.Token))
                {
                    // A browser reconnects whenever a stream ends. This event lets it close instead.
                    await context.Response.WriteAsync("event: end\ndata:\n\n", stop.Token);
                    return;
                }
            }
            catch (TimeoutException) when (!next.IsCompleted)
            {
                // A comment. A proxy closes a stream that is silent for a minute.
                await context.Response.WriteAsync(":\n\n", stop.Token);
                continue;
            }

            var (id, data) = (following.Current.Id, JsonSerializer.Serialize(following.Current, JsonSerializerOptions.Web));
            await context.Response.WriteAsync($"id: {id}\ndata: {data}\n\n", stop.Token);
            next = following.MoveNextAsync().AsTask();
        }
    }
    catch (OperationCanceledException) when (stop.IsCancellationRequested)
    {
    }
    finally
    {
        // An enumerator that still reads cannot be disposed.
        await stop.CancelAsync();
        await Task.WhenAny(next);
    }
}
// end snippet

await Registration.RunAsync(builder.Configuration.GetConnectionString("Crawls")!);
