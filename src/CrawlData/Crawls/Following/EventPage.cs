using Npgsql;

namespace CrawlData.Crawls;

/// <summary>A page of events that a follower reads.</summary>
/// <param name="Events">The events, in the order of their ids.</param>
/// <param name="IsFull">Whether the page ended at its limit, so that further events may follow.</param>
internal sealed record EventPage(List<CrawlEvent> Events, bool IsFull)
{
    /// <summary>Reads the reader's next rows until there are no more, or until the number of events or the bytes of their payloads reach the limit. So the page
    /// holds fewer bytes than the limit, plus one event. It cancels the command if rows may be left.</summary>
    /// <param name="command">The reader's command.</param>
    /// <param name="reader">The reader.</param>
    /// <param name="column">The first column of the events.</param>
    /// <param name="maxEvents">The most events that the command returns.</param>
    /// <param name="maxBytes">The bytes of payloads at which the page ends.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public static async Task<EventPage> ReadAsync(
        NpgsqlCommand command, NpgsqlDataReader reader, int column, int maxEvents, long maxBytes, CancellationToken cancellationToken) =>
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? await ReadOnAsync(command, reader, column, maxEvents, maxBytes, cancellationToken).ConfigureAwait(false)
            : new EventPage([], IsFull: false);

    /// <summary>As <see cref="ReadAsync"/>, from the reader's current row on.</summary>
    /// <inheritdoc cref="ReadAsync" path="/param"/>
    public static async Task<EventPage> ReadOnAsync(
        NpgsqlCommand command, NpgsqlDataReader reader, int column, int maxEvents, long maxBytes, CancellationToken cancellationToken)
    {
        var map = CrawlEventStatements.Map(column);
        var events = new List<CrawlEvent>();
        var bytes = 0L;
        do
        {
            var crawlEvent = map(reader);
            events.Add(crawlEvent);
            bytes += crawlEvent.Payload.Utf8.Length;
            if (bytes >= maxBytes && events.Count < maxEvents)
            {
                // The reader's disposal reads the remaining rows, and a cancelled query has few left.
                command.Cancel();
                return new EventPage(events, IsFull: true);
            }
        }
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false));

        return new EventPage(events, events.Count >= maxEvents);
    }
}
