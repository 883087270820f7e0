using System.Collections.Concurrent;
using System.Net;

namespace CrawlData.Tests.Testing;

/// <summary>A Maven repository on the loopback address.</summary>
internal sealed class MavenMirror : IAsyncDisposable
{
    private readonly HttpListener listener = new();
    private readonly Task answers;

    public MavenMirror()
    {
        Url = new($"http://127.0.0.1:{FreePort.Find()}/maven");
        listener.Prefixes.Add($"{Url}/");
        listener.Start();
        answers = AnswerAsync();
    }

    /// <summary>The URL of the repository.</summary>
    public Uri Url { get; }

    /// <summary>The content by the end of a file's name. Other files do not exist.</summary>
    public Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>How many bytes of a file are sent before the connection breaks; null for all.</summary>
    public int? Bytes { get; set; }

    /// <summary>The names of the files that were asked for.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>What a download waits for.</summary>
    public Task Start { get; set; } = Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        listener.Close();
        await answers;
    }

    private async Task AnswerAsync()
    {
        try
        {
            while (true)
            {
                var context = await listener.GetContextAsync();
                var path = context.Request.Url!.AbsolutePath;
                Requests.Enqueue(Path.GetFileName(path));
                await Start;
                if (Files.FirstOrDefault(file => path.EndsWith(file.Key, StringComparison.Ordinal)).Value is not { } content)
                {
                    context.Response.StatusCode = 404;
                    context.Response.Close();
                    continue;
                }

                context.Response.ContentLength64 = content.Length;
                await context.Response.OutputStream.WriteAsync(content.AsMemory(0, Math.Min(content.Length, Bytes ?? content.Length)));
                if (Bytes < content.Length)
                {
                    context.Response.Abort();
                }
                else
                {
                    context.Response.Close();
                }
            }
        }
        catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
        {
            // The repository is disposed.
        }
    }
}
