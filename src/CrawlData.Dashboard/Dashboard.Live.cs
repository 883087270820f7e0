using System.Runtime.CompilerServices;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Dashboard.Live;
using CrawlData.Dashboard.Screens;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace CrawlData.Dashboard;

/// <summary>The streams of what goes on.</summary>
internal sealed partial class Dashboard
{
    // A viewer whose page is a few seconds old finds its next event among them.
    private const int NewestEvents = 200;

    private void MapLive(IEndpointRouteBuilder endpoints)
    {
        MapStream(endpoints, "runs/{id:guid}/events/stream", EventsOfRuns());
        MapStream(endpoints, "sessions/{id:guid}/log/stream", LogsOfSessions());
    }

    private void MapStream(IEndpointRouteBuilder endpoints, string path, LiveSource source) => Map(endpoints, path, isApi: true, async context =>
    {
        if (!await live.WriteAsync(context, source).ConfigureAwait(false))
        {
            await WriteProblemAsync(context, path, Problem.NotFound, isApi: true).ConfigureAwait(false);
        }
    });

    private LiveSource EventsOfRuns()
    {
        var repository = Find<CrawlEventRepository>(services, options.ServiceKey);
        var settings = services.GetRequiredService<IOptionsMonitor<CrawlDataOptions>>().Get(options.ServiceKey);

        // The application's own appends notify. Otherwise listening would be a connection for nothing.
        var following = new CrawlEventFollowOptions { PageSize = LiveRing.FrameItems, Listen = settings.Notify && !database.Multiplexes };
        return new LiveSource { Noun = "run", BeginAsync = BeginAsync, Follow = FollowAsync, Time = time, Logger = logger };

        Task<LiveStart?> BeginAsync(Guid id, CancellationToken cancellationToken) => ReadRowsAsync(
            async rows =>
            {
                if (await rows.GetRunAsync(id).ConfigureAwait(false) is null)
                {
                    return null;
                }

                var newest = await rows.ListNewestEventsAsync(id, new CrawlEventFilter(), NewestEvents).ConfigureAwait(false);
                var items = newest.Items.Reverse().Select(LiveEvent.Of).ToList();
                return new LiveStart(newest.NextCursor is not null && items.Count > 0 ? items[0].Id - 1 : null, items);
            },
            cancellationToken);

        async IAsyncEnumerable<IReadOnlyList<LiveItem>> FollowAsync(Guid id, long? afterId, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (var batch in repository.FollowBatchesAsync(id, afterId, following, cancellationToken).ConfigureAwait(false))
            {
                yield return [.. batch.Select(one => LiveEvent.Of(redaction.Of(one)))];
            }
        }
    }

    private LiveSource LogsOfSessions()
    {
        var repository = Find<CrawlLogRepository>(services, options.ServiceKey);
        return new LiveSource { Noun = "session", BeginAsync = BeginAsync, Follow = FollowAsync, Time = time, Logger = logger };

        // The follower alone knows up to where no line comes any more. So it reads the newest lines too.
        Task<LiveStart?> BeginAsync(Guid id, CancellationToken cancellationToken) => ReadRowsAsync(
            async rows => await rows.GetSessionAsync(id).ConfigureAwait(false) is null
                ? null
                : new LiveStart(await rows.FindLogStartAsync(id).ConfigureAwait(false), []),
            cancellationToken);

        async IAsyncEnumerable<IReadOnlyList<LiveItem>> FollowAsync(Guid id, long? afterId, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (var line in repository.FollowAsync(id, afterId: afterId, cancellationToken: cancellationToken).ConfigureAwait(false))
            {
                yield return [LiveLogLine.Of(redaction.Of(line))];
            }
        }
    }
}
