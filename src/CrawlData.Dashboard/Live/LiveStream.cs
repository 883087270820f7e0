using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using CrawlData.Dashboard.Screens;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CrawlData.Dashboard.Live;

/// <summary>Writes a run's events or a session's log to one viewer, as server-sent events. ASP.NET's own result for these writes no comments.</summary>
/// <param name="followers">The followers of what somebody looks at.</param>
/// <param name="time">Measures the heartbeats.</param>
internal sealed class LiveStream(LiveFollowers followers, TimeProvider time)
{
    /// <summary>The time of silence after which a comment is written. Proxies end a response that is silent for longer.</summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <summary>The longest stream. The browser comes again, and the application decides anew whether it may.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(30);

    /// <summary>Writes items until the run or the session has ended, the viewer has left, or the host stops.</summary>
    /// <returns>False when there is no such row. Then nothing was written.</returns>
    /// <exception cref="BadQueryException">The cursor is no item's id.</exception>
    public async Task<bool> WriteAsync(HttpContext context, LiveSource source)
    {
        var afterId = Cursor(context.Request);
        var id = Guid.Parse((string)context.Request.RouteValues["id"]!, CultureInfo.InvariantCulture);
        using var limit = new CancellationTokenSource(Longest, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(
            context.RequestAborted, context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping, limit.Token);
        using var viewer = followers.Enter(source, id);
        try
        {
            if (!await viewer.Follower.Started.WaitAsync(stop.Token).ConfigureAwait(false))
            {
                return false;
            }

            var response = context.Response;
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            response.ContentType = "text/event-stream";
            response.Headers.CacheControl = "no-store, no-transform";

            // Otherwise nginx holds back the first frames.
            response.Headers["X-Accel-Buffering"] = "no";
            if (!HttpMethods.IsHead(context.Request.Method))
            {
                await WriteAsync(response.BodyWriter, viewer.Follower, afterId, stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // A browser that is still there comes again with its last id.
        }

        return true;
    }

    private async Task WriteAsync(PipeWriter body, LiveFollower follower, long? afterId, CancellationToken cancellationToken)
    {
        // The headers go out with it, even if nothing happens.
        Write(body, "retry: 1000\n\n");
        await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            var (frame, end, changed) = follower.Next(afterId);
            if (frame.MissedUpToId is { } missed)
            {
                var from = afterId is { } last ? $"\"{last}\"" : "null";
                Write(body, $"event: gap\nid: {missed}\ndata: {{\"after\":{from},\"up_to\":\"{missed}\"}}\n\n");
                afterId = missed;
            }
            else if (frame.Items.Count > 0)
            {
                afterId = frame.Items[^1].Id;
                Write(body, frame.Items);
            }
            else if (end is { } reason)
            {
                Write(body, $"event: end\ndata: {{\"reason\":\"{Name(reason)}\"}}\n\n");
                await body.FlushAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            else
            {
                try
                {
                    await changed.WaitAsync(Heartbeat, time, cancellationToken).ConfigureAwait(false);
                    continue;
                }
                catch (TimeoutException)
                {
                    Write(body, ":\n\n");
                }
            }

            // It waits for a viewer that takes nothing. Meanwhile nothing is kept for that viewer.
            await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static void Write(PipeWriter body, IReadOnlyList<LiveItem> items)
    {
        Write(body, $"id: {items[^1].Id}\ndata: [");
        for (var index = 0; index < items.Count; index++)
        {
            Write(body, index == 0 ? "" : ",");
            body.Write(items[index].Json.Span);
        }

        Write(body, "]\n\n");
    }

    private static string Name(LiveEnd reason) => reason switch
    {
        LiveEnd.Ended => "ended",
        LiveEnd.Deleted => "deleted",
        _ => "failed",
    };

    private static void Write(PipeWriter body, string text) => Encoding.UTF8.GetBytes(text, body);

    // A browser sends the header when it comes again, with the address of its first request.
    private static long? Cursor(HttpRequest request)
    {
        if (request.Headers["Last-Event-ID"].ToString() is not { Length: > 0 } last)
        {
            return new Query(request.Query).Id("after");
        }

        return long.TryParse(last, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id)
            ? id
            : throw new BadQueryException("Last-Event-ID", "must be the number of an event or a line");
    }
}
