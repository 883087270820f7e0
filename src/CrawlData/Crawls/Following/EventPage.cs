using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>A page of events that a follower reads.</summary>
/// <param name="Events">The events, in the order of their ids.</param>
/// <param name="LastId">The id of the last event that was read, also of one that was passed over; null when none was read.</param>
/// <param name="IsFull">Whether the page ended at its limit, so that further events may follow.</param>
internal sealed record EventPage(List<CrawlEvent> Events, long? LastId, bool IsFull)
{
    /// <summary>Reads events until there are no more, or until their number or the bytes of their payloads reach the limit. So the page holds fewer bytes than
    /// the limit, plus one event. It cancels the command if rows may be left. An event that cannot be read is passed over.</summary>
    public static async Task<EventPage> ReadAsync(
        NpgsqlCommand command, NpgsqlDataReader reader, int maxEvents, long maxBytes, PassedOverRows passedOver, CancellationToken cancellationToken)
    {
        var map = CrawlEventStatements.Map();
        var events = new List<CrawlEvent>();
        var (rows, bytes) = (0, 0L);
        long? lastId = null;
        while (bytes < maxBytes && await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            rows++;
            lastId = reader.GetInt64(0);
            if (passedOver.TryMap(reader, map, out var crawlEvent))
            {
                events.Add(crawlEvent);
                bytes += crawlEvent.Payload.Utf8.Length;
            }
        }

        passedOver.Report();
        if (bytes >= maxBytes && rows < maxEvents)
        {
            // The reader's disposal reads the remaining rows, and a cancelled query has few left.
            command.Cancel();
            return new EventPage(events, lastId, IsFull: true);
        }

        return new EventPage(events, lastId, rows >= maxEvents);
    }
}
