using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace CrawlData;

/// <summary>A value of a jsonb column: one JSON text in UTF-8, checked when it is made, so that PostgreSQL takes it.</summary>
/// <remarks>
/// <para>Every way of making one throws <see cref="InvalidValueException"/> (its field is <c>json</c>) for what PostgreSQL refuses or what would hurt it:
/// text that is not well-formed, U+0000 and lone surrogates, nesting and size over the limits of <see cref="JsonbOptions"/>, and numbers of more than 1,000
/// digits when written out (PostgreSQL stores <c>1e130000</c>, 8 bytes, as 130,000 digits). One bad payload so fails alone, at its
/// own line.</para>
/// <para>jsonb keeps the value and not the text: what is read back may have its keys in another order and its numbers written otherwise (<c>1E2</c> as
/// <c>100</c>), and of keys that occur twice only the last. Equality follows that, except that a text with a key that occurs twice does not equal one where
/// it occurs once.</para>
/// <para>System.Text.Json writes it raw, as the JSON that it is. <c>default</c> is the JSON literal <c>null</c>.</para>
/// </remarks>
[JsonConverter(typeof(JsonbConverter))]
public readonly struct Jsonb : IEquatable<Jsonb>
{
    internal const string Field = "json";

    // Depth is checked where a value is made; what the database holds may come from other writers.
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private static readonly byte[] NullLiteral = "null"u8.ToArray();

    private readonly ReadOnlyMemory<byte> utf8;

    private Jsonb(byte[] utf8) => this.utf8 = utf8;

    /// <summary>The JSON text in UTF-8, without byte order mark.</summary>
    public ReadOnlyMemory<byte> Utf8 => utf8.IsEmpty ? NullLiteral : utf8;

    /// <summary>Takes a JSON text.</summary>
    /// <param name="json">One JSON value; white space around it is allowed, comments and trailing commas are not.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse it, or it is over a limit.</exception>
    public static Jsonb Parse(string json, JsonbOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(json);
        options ??= JsonbOptions.Default;
        if (options.Repair)
        {
            json = CrawledText.Repair(json);
        }
        else if (CrawledText.IndexOfUnstorable(json) is >= 0 and var at && json[at] != '\0')
        {
            throw new InvalidValueException(Field, $"holds a lone surrogate at index {at}, which has no UTF-8 form (repair would replace it)");
        }

        return new Jsonb(JsonbValidator.Validate(Encoding.UTF8.GetBytes(json), options));
    }

    /// <summary>Takes a JSON text in UTF-8. The bytes are copied.</summary>
    /// <inheritdoc cref="Parse(string, JsonbOptions?)"/>
    /// <param name="utf8Json">One JSON value, without byte order mark.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    public static Jsonb Parse(ReadOnlySpan<byte> utf8Json, JsonbOptions? options = null)
    {
        options ??= JsonbOptions.Default;
        var valid = System.Text.Unicode.Utf8.IsValid(utf8Json);
        if (options.Repair && (!valid || utf8Json.Contains((byte)0)))
        {
            return Parse(Encoding.UTF8.GetString(utf8Json), options);
        }

        return valid
            ? new Jsonb(JsonbValidator.Validate(utf8Json.ToArray(), options))
            : throw new InvalidValueException(Field, "holds bytes that are not UTF-8 (repair would replace them)");
    }

    /// <summary>Takes an element of a <see cref="JsonDocument"/>; it may be disposed of afterwards.</summary>
    /// <param name="element">The element.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse it, or it is over a limit.</exception>
    /// <exception cref="InvalidOperationException">The element is <c>default</c>.</exception>
    public static Jsonb FromElement(JsonElement element, JsonbOptions? options = null) => Parse(JsonMarshal.GetRawUtf8Value(element), options);

    /// <summary>Serializes an object with System.Text.Json.</summary>
    /// <param name="value">The object; null becomes the JSON literal <c>null</c>, and a string a JSON string (for JSON text use <see cref="Parse(string,
    /// JsonbOptions?)"/>).</param>
    /// <param name="serializerOptions">As for <see cref="JsonSerializer"/>, save its encoder and indentation, which jsonb does not keep.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse it, or it is over a limit.</exception>
    /// <exception cref="NotSupportedException">The type cannot be serialized.</exception>
    /// <exception cref="JsonException">The serializer's own limit on depth is passed, as by a cycle.</exception>
    [RequiresUnreferencedCode("Serializes by reflection; use the overload that takes a JsonTypeInfo.")]
    [RequiresDynamicCode("Serializes by reflection; use the overload that takes a JsonTypeInfo.")]
    public static Jsonb From<T>(T value, JsonSerializerOptions? serializerOptions = null, JsonbOptions? options = null) =>
        Serialize(writer => JsonSerializer.Serialize(writer, value, serializerOptions), options);

    /// <summary>Serializes an object with source-generated metadata.</summary>
    /// <param name="value">The object.</param>
    /// <param name="typeInfo">Its metadata, from a <see cref="JsonSerializerContext"/>.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse it, or it is over a limit.</exception>
    public static Jsonb From<T>(T value, JsonTypeInfo<T> typeInfo, JsonbOptions? options = null) =>
        Serialize(writer => JsonSerializer.Serialize(writer, value, typeInfo), options);

    /// <summary>Deserializes with System.Text.Json.</summary>
    /// <exception cref="JsonException">The JSON is not of that type.</exception>
    [RequiresUnreferencedCode("Deserializes by reflection; use the overload that takes a JsonTypeInfo.")]
    [RequiresDynamicCode("Deserializes by reflection; use the overload that takes a JsonTypeInfo.")]
    public T? To<T>(JsonSerializerOptions? serializerOptions = null) => JsonSerializer.Deserialize<T>(Utf8.Span, serializerOptions);

    /// <summary>Deserializes with source-generated metadata.</summary>
    /// <exception cref="JsonException">The JSON is not of that type.</exception>
    public T? To<T>(JsonTypeInfo<T> typeInfo) => JsonSerializer.Deserialize(Utf8.Span, typeInfo);

    /// <summary>Parses into an element that stands by itself and needs no disposal.</summary>
    public JsonElement ToElement()
    {
        var reader = new Utf8JsonReader(Utf8.Span, new JsonReaderOptions { MaxDepth = int.MaxValue });
        return JsonElement.ParseValue(ref reader);
    }

    /// <summary>The JSON text.</summary>
    public override string ToString() => Encoding.UTF8.GetString(Utf8.Span);

    /// <summary>Whether both are the same value as PostgreSQL's jsonb sees it: the order of keys, white space and the notation of numbers and strings do not
    /// count.</summary>
    public bool Equals(Jsonb other)
    {
        if (Utf8.Span.SequenceEqual(other.Utf8.Span))
        {
            return true;
        }

        using var mine = JsonDocument.Parse(Utf8, AnyDepth);
        using var others = JsonDocument.Parse(other.Utf8, AnyDepth);
        return JsonElement.DeepEquals(mine.RootElement, others.RootElement);
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Jsonb other && Equals(other);

    /// <summary>A weak hash, by the kind of value alone: equal values may be written in many ways.</summary>
    public override int GetHashCode()
    {
        var reader = new Utf8JsonReader(Utf8.Span, new JsonReaderOptions { MaxDepth = int.MaxValue });
        reader.Read();
        return (int)reader.TokenType;
    }

    /// <summary>Equality, as of <see cref="Equals(Jsonb)"/>.</summary>
    public static bool operator ==(Jsonb left, Jsonb right) => left.Equals(right);

    /// <summary>Inequality, as of <see cref="Equals(Jsonb)"/>.</summary>
    public static bool operator !=(Jsonb left, Jsonb right) => !left.Equals(right);

    /// <summary>Takes over what the server sent, which needs no check.</summary>
    internal static Jsonb FromDatabase(byte[] utf8) => new(utf8);

    private static Jsonb Serialize(Action<Utf8JsonWriter> serialize, JsonbOptions? options)
    {
        options ??= JsonbOptions.Default;
        var buffer = new ArrayBufferWriter<byte>();
        var writerOptions = new JsonWriterOptions
        {
            Encoder = options.Repair ? JavaScriptEncoder.UnsafeRelaxedJsonEscaping : SurrogateCheckingEncoder.Instance,
            MaxDepth = JsonbOptions.LargestMaxDepth + 1,
        };
        using (var writer = new Utf8JsonWriter(buffer, writerOptions))
        {
            try
            {
                serialize(writer);
            }
            catch (Exception exception) when (exception is (ArgumentException or InvalidOperationException) and { Source: "System.Text.Json" }
                or JsonException { InnerException: InvalidOperationException })
            {
                // Not what a property of the object throws, which is the application's, and may say anything.
                throw new InvalidValueException(
                    Field,
                    "could not be serialized, as a number that is NaN or infinite, or an element that is default, nested too deep or with a lone surrogate",
                    exception);
            }
        }

        return Parse(buffer.WrittenSpan, options);
    }
}
