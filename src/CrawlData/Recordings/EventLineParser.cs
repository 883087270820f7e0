using System.Text.Json;
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
    /// <returns>False when the line is something else.</returns>
    public bool TryParse(ReadOnlySpan<byte> line, out RecordingFormat.EventRow row)
    {
        row = default;
        var reader = new Utf8JsonReader(line, LineOptions);
        try
        {
            return IsStartOfEvent(ref reader)
                && System.Text.Unicode.Utf8.IsValid(line)
                && TryReadRow(ref reader, line, out row)
                && reader.Read() && reader.TokenType == JsonTokenType.EndObject && !reader.Read();
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

    private bool TryReadRow(ref Utf8JsonReader reader, ReadOnlySpan<byte> line, out RecordingFormat.EventRow row)
    {
        row = default;
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
                    if (reader.TokenType != JsonTokenType.String || !reader.TryGetGuid(out var crawlId))
                    {
                        return false;
                    }

                    row = row with { CrawlId = crawlId };
                    break;
                case EventTypeSeen:
                    if (reader.TokenType != JsonTokenType.String || reader.ValueIsEscaped)
                    {
                        return false;
                    }

                    row = row with { EventType = eventTypes.Get(reader.ValueSpan) };
                    break;
                case PayloadSeen:
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    var payload = JsonbValidator.Validate(line[start..(int)reader.BytesConsumed].ToArray(), JsonbOptions.Stored);
                    row = row with { Payload = Jsonb.FromDatabase(payload) };
                    break;
                case CreatedAtSeen when reader.TokenType == JsonTokenType.Null:
                    break;
                default:
                    if (reader.TokenType != JsonTokenType.String || !TimeConverter.TryRead(reader, out var time, out _))
                    {
                        return false;
                    }

                    row = row with { CreatedAt = Instant.From(time) };
                    break;
            }
        }

        return reader.TokenType == JsonTokenType.EndObject && (seen & Required) == Required;
    }
}
