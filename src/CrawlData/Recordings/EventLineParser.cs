using System.Text.Json;
using CrawlData.Crawls;
using CrawlData.Storage;

namespace CrawlData.Recordings;

/// <summary>Parses lines of <c>crawl_events</c> in one pass, because a recording has many. It knows valid lines only. All others, and those in an unusual
/// form, are left to <see cref="RecordingFormat"/>, which also explains what is wrong.</summary>
internal sealed class EventLineParser
{
    private const int CrawlIdSeen = 1;
    private const int EventTypeSeen = 2;
    private const int PayloadSeen = 4;
    private const int CreatedAtSeen = 8;
    private const int Required = CrawlIdSeen | EventTypeSeen | PayloadSeen;

    private static readonly JsonReaderOptions LineOptions = new() { MaxDepth = JsonbOptions.LargestMaxDepth + 2 };

    private readonly RepeatedText eventTypes = new(maxLength: 50);

    /// <summary>Parses a line.</summary>
    /// <param name="line">The line.</param>
    /// <param name="crawlId">The recording's id of the crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <returns>False when the line is something else.</returns>
    /// <exception cref="InvalidValueException">A column does not accept its value.</exception>
    public bool TryParse(ReadOnlySpan<byte> line, out Guid crawlId, out NewCrawlEvent crawlEvent)
    {
        (crawlId, crawlEvent) = (default, null!);
        var reader = new Utf8JsonReader(line, LineOptions);
        try
        {
            if (!IsStartOfEvent(ref reader) || !System.Text.Unicode.Utf8.IsValid(line) || !TryReadRow(ref reader, line, out crawlId, out var row))
            {
                return false;
            }

            if (!reader.Read() || reader.TokenType != JsonTokenType.EndObject || reader.Read())
            {
                return false;
            }

            crawlEvent = new NewCrawlEvent { EventType = row.EventType, Payload = row.Payload, CreatedInstant = row.CreatedAt };
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
        catch (InvalidValueException exception) when (exception.Field == Jsonb.Field)
        {
            return false;
        }
    }

    private static bool IsStartOfEvent(ref Utf8JsonReader reader) =>
        reader.Read() && reader.TokenType == JsonTokenType.StartObject
        && reader.Read() && IsPlainText(reader, JsonTokenType.PropertyName, "table"u8)
        && reader.Read() && IsPlainText(reader, JsonTokenType.String, "crawl_events"u8)
        && reader.Read() && IsPlainText(reader, JsonTokenType.PropertyName, "row"u8)
        && reader.Read() && reader.TokenType == JsonTokenType.StartObject;

    private static bool IsPlainText(Utf8JsonReader reader, JsonTokenType type, ReadOnlySpan<byte> text) =>
        reader.TokenType == type && reader.ValueSpan.SequenceEqual(text);

    private bool TryReadRow(ref Utf8JsonReader reader, ReadOnlySpan<byte> line, out Guid crawlId, out (string EventType, Jsonb Payload, Instant? CreatedAt) row)
    {
        (crawlId, row) = (default, default);
        var seen = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var column = reader.ValueSpan switch
            {
                var name when name.SequenceEqual("crawl_id"u8) => CrawlIdSeen,
                var name when name.SequenceEqual("event_type"u8) => EventTypeSeen,
                var name when name.SequenceEqual("payload"u8) => PayloadSeen,
                var name when name.SequenceEqual("created_at"u8) => CreatedAtSeen,
                _ => 0,
            };
            if (column == 0 || (seen & column) != 0 || !reader.Read())
            {
                return false;
            }

            seen |= column;
            switch (column)
            {
                case CrawlIdSeen:
                    if (reader.TokenType != JsonTokenType.String || !reader.TryGetGuid(out crawlId))
                    {
                        return false;
                    }

                    break;
                case EventTypeSeen:
                    if (reader.TokenType != JsonTokenType.String || reader.ValueIsEscaped)
                    {
                        return false;
                    }

                    row.EventType = eventTypes.Get(reader.ValueSpan);
                    break;
                case PayloadSeen:
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    row.Payload = Jsonb.FromDatabase(JsonbValidator.Validate(line[start..(int)reader.BytesConsumed].ToArray(), JsonbOptions.Stored));
                    break;
                case CreatedAtSeen when reader.TokenType == JsonTokenType.Null:
                    break;
                default:
                    if (reader.TokenType != JsonTokenType.String || !TimeConverter.TryRead(reader, out var time, out _))
                    {
                        return false;
                    }

                    row.CreatedAt = Instant.From(time);
                    break;
            }
        }

        return reader.TokenType == JsonTokenType.EndObject && (seen & Required) == Required;
    }
}
