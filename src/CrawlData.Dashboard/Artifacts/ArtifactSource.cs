using CrawlData.Dashboard.Reads;
using CrawlData.Dashboard.Text;
using CrawlData.Retention;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace CrawlData.Dashboard.Artifacts;

/// <summary>Serves the content of artifacts, which the application's function or folder opens: few at a time, up to a size, and within a time.</summary>
internal sealed class ArtifactSource
{
    // Nothing of a content runs, or loads anything.
    private const string Restrictions = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";
    private const string ContentSecurityPolicy = $"default-src 'none'; {Restrictions}";

    // A browser that shows a picture alone puts it into a page of its own, with styles inline.
    private const string ImagePolicy = $"default-src 'none'; style-src 'unsafe-inline'; {Restrictions}";

    private const int MostAtATime = 8;
    private const int BufferBytes = 64 * 1024;

    private readonly CrawlDataDashboardOptions options;
    private readonly TimeProvider time;
    private readonly Func<string, CancellationToken, Task<Stream?>> open;
    private readonly SemaphoreSlim turns = new(MostAtATime);

    /// <exception cref="InvalidOperationException">The options name both a function and a folder.</exception>
    public ArtifactSource(CrawlDataDashboardOptions options, TimeProvider time)
    {
        (this.options, this.time) = (options, time);
        if (options is { Artifacts: not null, ArtifactRoot: not null })
        {
            throw new InvalidOperationException(
                $"{nameof(CrawlDataDashboardOptions.Artifacts)} and {nameof(CrawlDataDashboardOptions.ArtifactRoot)} exclude each other.");
        }

        open = options.Artifacts ?? OpenFile(options.ArtifactRoot!);
    }

    /// <summary>Writes an artifact's content: an image as an image, and all else as a download.</summary>
    /// <param name="context">The request.</param>
    /// <param name="storageUri">Where the artifact is stored.</param>
    /// <param name="fileName">The name of a saved file.</param>
    /// <exception cref="ArtifactException">It cannot be served.</exception>
    /// <exception cref="DashboardBusyException">Too many artifacts are being opened and read.</exception>
    public async Task WriteAsync(HttpContext context, string storageUri, string fileName)
    {
        if (!await turns.WaitAsync(options.ArtifactTimeout, context.RequestAborted).ConfigureAwait(false))
        {
            throw new DashboardBusyException("Too many artifacts are being read.");
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var token = ending.Token;
        Task last;
        var opening = Start(() => open(storageUri, token));
        try
        {
            var content = await WithinTimeAsync(opening, context.RequestAborted).ConfigureAwait(false)
                ?? throw new ArtifactException(StatusCodes.Status404NotFound, "Its storage has no such content.");
            await SendAsync(context, content, fileName, Start, token).ConfigureAwait(false);
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            var (called, isOver) = (last, last.IsCompleted);
            var end = Task.Run(() => EndTurnAsync(opening, called), CancellationToken.None);
            if (isOver)
            {
                await end.ConfigureAwait(false);
            }
        }

        // The function and its stream may block, and may not observe their token. So they have a thread, and their turn ends when they do.
        Task<T> Start<T>(Func<Task<T>> call)
        {
            var task = Task.Run(call, CancellationToken.None);
            last = task;
            return task;
        }
    }

    private static Func<string, CancellationToken, Task<Stream?>> OpenFile(string root)
    {
        var files = new FileArtifactStore([root]);
        return (storageUri, _) => Task.FromResult(files.OpenRead(storageUri));
    }

    private async Task EndTurnAsync(Task<Stream?> opening, Task last)
    {
        await ((Task)opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            if (opening is { IsCompletedSuccessfully: true, Result: { } content })
            {
                await content.DisposeAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            await last.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            turns.Release();
        }
    }

    private async Task SendAsync(
        HttpContext context, Stream content, string fileName, Func<Func<Task<int>>, Task<int>> start, CancellationToken cancellationToken)
    {
        var (response, aborted, buffer) = (context.Response, context.RequestAborted, new byte[BufferBytes]);
        (long Begin, long Length)? known = content.CanSeek ? (content.Position, content.Length - content.Position) : null;
        var read = await WithinTimeAsync(
            start(() => content.ReadAtLeastAsync(buffer, ImageType.HeadLength, throwOnEndOfStream: false, cancellationToken).AsTask()), aborted)
            .ConfigureAwait(false);
        if (Math.Max(known?.Length ?? 0, read) > options.MaxArtifactBytes)
        {
            throw new ArtifactException(
                StatusCodes.Status413PayloadTooLarge, $"It is larger than {Show.Bytes(options.MaxArtifactBytes)}, which is the most that is shown here.");
        }

        var part = known is { } all && HttpMethods.IsGet(context.Request.Method) ? ByteRange.Find(context.Request, all.Length) : null;
        var image = ImageType.Find(buffer.AsSpan(0, read));
        response.ContentType = image ?? "application/octet-stream";
        response.ContentLength = known?.Length;
        response.Headers.ContentSecurityPolicy = image is null ? ContentSecurityPolicy : ImagePolicy;
        response.Headers.ContentDisposition = new ContentDispositionHeaderValue(image is null ? "attachment" : "inline") { FileName = fileName }.ToString();
        if (known is not null)
        {
            response.Headers.AcceptRanges = "bytes";
        }

        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        var left = long.MaxValue;
        if (known is var (begin, whole) && part is var (from, asked))
        {
            response.Headers.ContentRange = new ContentRangeHeaderValue(from, from + asked - 1, whole).ToString();
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.ContentLength = left = asked;
            read = await WithinTimeAsync(
                start(() =>
                {
                    content.Position = begin + from;
                    return content.ReadAsync(buffer, cancellationToken).AsTask();
                }),
                aborted).ConfigureAwait(false);
        }

        var sent = 0L;
        while (read > 0 && left > 0)
        {
            read = (int)Math.Min(read, left);
            left -= read;
            sent += read;
            if (sent > options.MaxArtifactBytes)
            {
                // Its length was not known before. The client must not take the part for the whole.
                context.Abort();
                return;
            }

            await response.Body.WriteAsync(buffer.AsMemory(0, read), aborted).ConfigureAwait(false);
            read = await WithinTimeAsync(start(() => content.ReadAsync(buffer, cancellationToken).AsTask()), aborted).ConfigureAwait(false);
        }
    }

    /// <exception cref="ArtifactException">The work took too long, or failed.</exception>
    private async Task<T> WithinTimeAsync<T>(Task<T> work, CancellationToken aborted)
    {
        try
        {
            return await work.WaitAsync(options.ArtifactTimeout, time, aborted).ConfigureAwait(false);
        }
        catch (TimeoutException exception) when (!work.IsCompleted)
        {
            throw new ArtifactException(
                StatusCodes.Status504GatewayTimeout, $"Its storage did not answer within {Show.Limit(options.ArtifactTimeout)}. Try again.", exception);
        }
        catch (Exception exception) when (!aborted.IsCancellationRequested)
        {
            throw new ArtifactException(
                StatusCodes.Status502BadGateway, "Its storage reported an error. The application's log has it.", exception);
        }
    }
}
