using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>A page of events that a follower reads. Followers at one position share it, so nobody can change it.</summary>
/// <param name="Events">The events, in the order of their ids.</param>
/// <param name="LastId">The id of the last event that was read, also of one that was passed over; null when none was read.</param>
/// <param name="IsFull">Whether the page ended at its limit, so that further events may follow.</param>
internal sealed record EventPage(IReadOnlyList<CrawlEvent> Events, long? LastId, bool IsFull)
{
    /// <summary>A page without events.</summary>
    public static readonly EventPage Empty = new([], LastId: null, IsFull: false);

    /// <summary>Reads the reader's next rows until there are no more, or until the number of events or the bytes of their payloads reach the limit. So the page
    /// holds fewer bytes than the limit, plus one event. It cancels the command if rows may be left. An event that cannot be read is passed over.</summary>
    /// <param name="command">The reader's command.</param>
    /// <param name="reader">The reader.</param>
    /// <param name="column">The first column of the events.</param>
    /// <param name="maxEvents">The most events that the command returns.</param>
    /// <param name="maxBytes">The bytes of payloads at which the page ends.</param>
    /// <param name="passedOver">Passes over and reports the events that cannot be read.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public static async Task<EventPage> ReadAsync(
        NpgsqlCommand command,
        NpgsqlDataReader reader,
        int column,
        int maxEvents,
        long maxBytes,
        PassedOverRows passedOver,
        CancellationToken cancellationToken) =>
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? await ReadOnAsync(command, reader, column, maxEvents, maxBytes, passedOver, cancellationToken).ConfigureAwait(false)
            : Empty;

    /// <summary>As <see cref="ReadAsync"/>, from the reader's current row on.</summary>
    /// <inheritdoc cref="ReadAsync" path="/param"/>
    public static async Task<EventPage> ReadOnAsync(
        NpgsqlCommand command,
        NpgsqlDataReader reader,
        int column,
        int maxEvents,
        long maxBytes,
        PassedOverRows passedOver,
        CancellationToken cancellationToken)
    {
        var page = await BoundedPage<CrawlEvent, long>.ReadOnAsync(
            reader,
            CrawlEventStatements.Map(column),
            row => row.GetInt64(column),
            CrawlEventStatements.Bytes,
            maxEvents,
            maxBytes,
            passedOver,
            cancellationToken).ConfigureAwait(false);
        if (page.IsFull && page.Rows < maxEvents)
        {
            // The reader's disposal reads the remaining rows, and a cancelled query has few left.
            command.Cancel();
        }

        return new EventPage(page.Items.AsReadOnly(), page.LastKey, page.IsFull);
    }
}
