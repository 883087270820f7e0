using System.Globalization;
using System.Net;
using System.Text.Json;
using CrawlData.Tests;

namespace CrawlData.Dashboard.Tests.Live;

/// <summary>Reads a stream of events, as a browser does, until it ends or is disposed.</summary>
internal sealed class StreamViewer : IAsyncDisposable
{
    private static readonly TimeSpan Longest = Wait.Longest;

    private readonly HttpResponseMessage response;
    private readonly CancellationTokenSource leave = new();

    private StreamViewer(HttpResponseMessage response)
    {
        this.response = response;
        Ended = Task.Run(ReadAsync);
    }

    /// <summary>What came: the frames of events, gaps, ends and comments.</summary>
    public ReceivedItems<StreamMessage> Messages { get; } = new();

    /// <summary>The ids of the events that came.</summary>
    public ReceivedItems<long> Ids { get; } = new();

    /// <summary>The heartbeats that came.</summary>
    public ReceivedItems<StreamMessage> Comments { get; } = new();

    /// <summary>Ends when the server ends the stream. Its result is false when the connection was lost.</summary>
    public Task<bool> Ended { get; }

    public HttpResponseMessage Response => response;

    public string? LastId => Messages.ToList().LastOrDefault(message => message.Id is not null)?.Id;

    /// <summary>Connects to the stream of a run.</summary>
    /// <param name="host">The host.</param>
    /// <param name="runId">The run.</param>
    /// <param name="after">The cursor in the address; null for none.</param>
    /// <param name="lastEventId">The cursor in the header; null for none.</param>
    public static Task<StreamViewer> ConnectAsync(DashboardHost host, Guid runId, long? after = null, string? lastEventId = null) =>
        ConnectAsync(host, $"runs/{runId}/events/stream", after, lastEventId);

    /// <summary>Connects to the stream of a session's log.</summary>
    /// <inheritdoc cref="ConnectAsync(DashboardHost, Guid, long?, string?)"/>
    public static Task<StreamViewer> ConnectToLogAsync(DashboardHost host, Guid sessionId, long? after = null, string? lastEventId = null) =>
        ConnectAsync(host, $"sessions/{sessionId}/log/stream", after, lastEventId);

    private static async Task<StreamViewer> ConnectAsync(DashboardHost host, string address, long? after, string? lastEventId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{address}{(after is null ? "" : $"?after={after}")}");
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        var response = await host.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Longest);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        return new StreamViewer(response);
    }

    /// <summary>Waits until as many events came.</summary>
    public Task UntilAsync(int events) => Ids.UntilCountAsync(events);

    /// <summary>Waits until the server has ended the stream.</summary>
    public Task<bool> UntilEndedAsync() => Ended.WaitAsync(Longest);

    public async ValueTask DisposeAsync()
    {
        await leave.CancelAsync();
        await Ended;
        response.Dispose();
        leave.Dispose();
    }

    private async Task<bool> ReadAsync()
    {
        try
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(leave.Token));
            var (name, id, data) = ((string?)null, (string?)null, (string?)null);
            while (await reader.ReadLineAsync(leave.Token) is { } line)
            {
                if (line.Length == 0)
                {
                    Take(new StreamMessage(name, id, data));
                    (name, id, data) = (null, null, null);
                }
                else if (line != ":")
                {
                    var (field, value) = (line[..line.IndexOf(": ", StringComparison.Ordinal)], line[(line.IndexOf(": ", StringComparison.Ordinal) + 2)..]);
                    (name, id, data) = field switch
                    {
                        "event" => (value, id, data),
                        "id" => (name, value, data),
                        "data" => (name, id, value),
                        "retry" => ("retry", id, value),
                        _ => throw new AssertionException($"An unknown field: {line}"),
                    };
                }
            }

            return true;
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or HttpRequestException)
        {
            return false;
        }
    }

    private void Take(StreamMessage message)
    {
        Messages.Add(message);
        if (message.Data is null)
        {
            Comments.Add(message);
        }
        else if (message.Event is null)
        {
            using var frame = JsonDocument.Parse(message.Data);
            Ids.Add(frame.RootElement.EnumerateArray().Select(one => long.Parse(one.GetProperty("id").GetString()!, CultureInfo.InvariantCulture)).ToList());
        }
    }
}
