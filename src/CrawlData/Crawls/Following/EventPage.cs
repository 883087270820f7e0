using Npgsql;

namespace CrawlData.Crawls;

/// <summary>A page of events that a follower reads.</summary>
/// <param name="Events">The events, in the order of their ids.</param>
/// <param name="IsFull">Whether the page ended at its limit, so that further events may follow.</param>
internal sealed record EventPage(List<CrawlEvent> Events, bool IsFull)
{
    /// <summary>Reads events until there are no more, or until their number or the bytes of their payloads reach the limit. So the page holds fewer bytes than
    /// the limit, plus one event. It cancels the command if rows may be left.</summary>
    public static async Task<EventPage> ReadAsync(
        NpgsqlCommand command, NpgsqlDataReader reader, int maxEvents, long maxBytes, CancellationToken cancellationToken)
    {
        var map = CrawlEventStatements.Map();
        var events = new List<CrawlEvent>();
        var bytes = 0L;
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
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

        return new EventPage(events, events.Count >= maxEvents);
    }
}
