// snippet: crawler
using CrawlData;
using CrawlData.Crawls;
using CrawlData.Workers;
// end snippet

namespace Examples;

// snippet: crawler
public sealed class Crawler(IScreens screens, CrawlEventRepository events) : ICrawlHandler
{
    public async Task HandleAsync(CrawlContext context, CancellationToken cancellationToken)
    {
        // A run that another process handed back has events already.
        for (var step = (int)await events.CountAsync(context.Run.Id, cancellationToken: cancellationToken) + 1; step <= context.Run.MaxSteps; step++)
        {
            var text = await screens.VisitAsync(context.Run.AppPackage, step, cancellationToken);
            var payload = Jsonb.From(new { step, text }, options: new JsonbOptions { Repair = true });
            await context.WriteAsync(new NewCrawlEvent { EventType = "screen.seen", Payload = payload }, cancellationToken);
        }
    }
}
// end snippet
