// snippet: browser
using System.Net.ServerSentEvents;
using CrawlData.Crawls;
using Microsoft.AspNetCore.Mvc;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddCrawlData(builder.Configuration.GetConnectionString("Crawls")!);
var app = builder.Build();

app.MapGet("/crawls/{crawlId:guid}/events", async Task<IResult> (
    Guid crawlId, [FromHeader(Name = "Last-Event-ID")] long? lastEventId, CrawlRunRepository runs, CrawlEventRepository events, HttpContext context) =>
    await runs.GetAsync(crawlId, cancellationToken: context.RequestAborted) is null
        ? TypedResults.NotFound()
        : TypedResults.ServerSentEvents(ToItemsAsync(events.FollowAsync(crawlId, lastEventId, cancellationToken: context.RequestAborted), context)));

app.Run();

async IAsyncEnumerable<SseItem<CrawlEvent?>> ToItemsAsync(IAsyncEnumerable<CrawlEvent> events, HttpContext context)
{
    // A host that stops waits for its requests. Aborted, the browser reconnects with its last id.
    using var stopping = app.Lifetime.ApplicationStopping.Register(context.Abort);

    // The headers go out with the first item. A proxy then sees an answer, even if nothing happens in the crawl.
    yield return new SseItem<CrawlEvent?>(null, "begin") { ReconnectionInterval = TimeSpan.FromSeconds(1) };
    await foreach (var crawlEvent in events)
    {
        yield return new SseItem<CrawlEvent?>(crawlEvent) { EventId = $"{crawlEvent.Id}" };
    }

    // A browser reconnects whenever a stream ends. This event lets it close instead.
    yield return new SseItem<CrawlEvent?>(null, "end");
}
// end snippet

await Registration.RunAsync(builder.Configuration.GetConnectionString("Crawls")!);
