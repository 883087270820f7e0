using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace CrawlData;

/// <summary>A value of a jsonb column: one JSON text in UTF-8. It is validated when it is made, so that PostgreSQL accepts it.</summary>
/// <remarks>
/// <para><b>Validation.</b> <see cref="Parse(string, JsonbOptions?)"/> and the other methods that make a value throw <see cref="InvalidValueException"/> with
/// the field <c>json</c> for:</para>
/// <list type="bullet">
/// <item>text that is not well-formed JSON</item>
/// <item>U+0000 and lone surrogates, unless <see cref="JsonbOptions.Repair"/> is set</item>
/// <item>nesting and size over the limits of <see cref="JsonbOptions"/></item>
/// <item>numbers of more than 1,000 digits when written out. PostgreSQL would store <c>1e130000</c>, 8 bytes, as 130,000 digits.</item>
/// </list>
/// <para>So an invalid payload fails where it is made. The rows of its batch are not affected.</para>
/// <para><b>Storage.</b> PostgreSQL stores the value, not the text. A value that is read back may have its keys in another order, and its numbers in another
/// notation: <c>1E2</c> becomes <c>100</c>. Of a key that occurs twice, only the last value is kept.</para>
/// <para><b>Equality.</b> It ignores the order of keys, white space, and the notation of numbers and strings. A text in which a key occurs twice does not
/// equal a text in which it occurs once.</para>
/// <para><b>Serialization.</b> System.Text.Json writes the value as raw JSON. <c>default</c> is the JSON literal <c>null</c>.</para>
/// </remarks>
/// <example>
/// <code>
/// var payload = Jsonb.From(new { url = "https://example.org/", status = 200 });
/// await events.AppendAsync(run.Id, new NewCrawlEvent { EventType = "page.opened", Payload = payload });
/// </code>
/// </example>
[JsonConverter(typeof(JsonbConverter))]
public readonly struct Jsonb : IEquatable<Jsonb>
{
    internal const string Field = "json";

    // Depth is checked where a value is made. A value from the database may come from another writer, and be deeper.
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private static readonly byte[] NullLiteral = "null"u8.ToArray();

    private readonly ReadOnlyMemory<byte> utf8;

    private Jsonb(byte[] utf8) => this.utf8 = utf8;

    /// <summary>Gets the JSON text in UTF-8, without a byte order mark.</summary>
    public ReadOnlyMemory<byte> Utf8 => utf8.IsEmpty ? NullLiteral : utf8;

    /// <summary>Parses a JSON text.</summary>
    /// <param name="json">One JSON value. White space around it is allowed; comments and trailing commas are not.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="json"/> is null.</exception>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse the text, or it exceeds a limit.</exception>
    /// <example>
    /// <code>
    /// var payload = Jsonb.Parse("""{"url": "https://example.org/", "status": 200}""");
    /// var crawled = Jsonb.Parse(response, new JsonbOptions { Repair = true });
    /// </code>
    /// </example>
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

    /// <summary>Parses a JSON text in UTF-8. It copies the bytes.</summary>
    /// <param name="utf8Json">One JSON value, without a byte order mark. White space around it is allowed; comments and trailing commas are not.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <returns>The value.</returns>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse the text, or it exceeds a limit, or it is not UTF-8.</exception>
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

    /// <summary>Copies an element of a <see cref="JsonDocument"/>. The document may be disposed afterwards.</summary>
    /// <param name="element">The element.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <returns>The value.</returns>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse the element, or it exceeds a limit.</exception>
    /// <exception cref="InvalidOperationException">The element is <c>default</c>.</exception>
    public static Jsonb FromElement(JsonElement element, JsonbOptions? options = null) => Parse(JsonMarshal.GetRawUtf8Value(element), options);

    /// <summary>Serializes an object with System.Text.Json.</summary>
    /// <typeparam name="T">The type by which the object is serialized.</typeparam>
    /// <param name="value">The object. Null becomes the JSON literal <c>null</c>. A string becomes a JSON string; for JSON text, use <see cref="Parse(string,
    /// JsonbOptions?)"/>.</param>
    /// <param name="serializerOptions">The serializer's options; its defaults when null. The encoder and the indentation have no effect.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <returns>The value.</returns>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse the JSON, or it exceeds a limit.</exception>
    /// <exception cref="NotSupportedException">The type cannot be serialized. Or the application is trimmed or ahead-of-time compiled, which turns
    /// reflection off, and <paramref name="serializerOptions"/> have no type information.</exception>
    /// <exception cref="JsonException">The object is nested deeper than the serializer's own limit, for example by a cycle.</exception>
    /// <example>
    /// <code>
    /// var payload = Jsonb.From(new { url = "https://example.org/", status = 200 });
    /// </code>
    /// </example>
    [RequiresUnreferencedCode("Serializes by reflection; use the overload that takes a JsonTypeInfo.")]
    [RequiresDynamicCode("Serializes by reflection; use the overload that takes a JsonTypeInfo.")]
    public static Jsonb From<T>(T value, JsonSerializerOptions? serializerOptions = null, JsonbOptions? options = null) =>
        JsonSerializer.IsReflectionEnabledByDefault || serializerOptions?.TypeInfoResolver is not null
            ? Serialize(writer => JsonSerializer.Serialize(writer, value, serializerOptions), options)
            : throw new NotSupportedException(
                "Jsonb.From serializes by reflection, which is turned off in this application, as in every trimmed one. Use the overload that takes a "
                + "JsonTypeInfo from a JsonSerializerContext, or Jsonb.Parse with JSON text.");

    /// <summary>Serializes an object with source-generated metadata.</summary>
    /// <typeparam name="T">The type of the metadata.</typeparam>
    /// <param name="value">The object.</param>
    /// <param name="typeInfo">The type's metadata, from a <see cref="JsonSerializerContext"/>.</param>
    /// <param name="options">Limits and repair; the defaults of <see cref="JsonbOptions"/> when null.</param>
    /// <returns>The value.</returns>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse the JSON, or it exceeds a limit.</exception>
    /// <exception cref="JsonException">The object is nested deeper than the serializer's own limit, for example by a cycle.</exception>
    public static Jsonb From<T>(T value, JsonTypeInfo<T> typeInfo, JsonbOptions? options = null) =>
        Serialize(writer => JsonSerializer.Serialize(writer, value, typeInfo), options);

    /// <summary>Deserializes the value with System.Text.Json.</summary>
    /// <typeparam name="T">The type to make.</typeparam>
    /// <param name="serializerOptions">The serializer's options; its defaults when null.</param>
    /// <returns>The object; may be null for the JSON literal <c>null</c>.</returns>
    /// <exception cref="JsonException">The JSON does not match the type, or is nested deeper than the serializer's own limit.</exception>
    /// <exception cref="NotSupportedException">The type cannot be deserialized.</exception>
    /// <example>
    /// <code>
    /// // record PageOpened(string Url, int Status);
    /// var opened = crawlEvent.Payload.To&lt;PageOpened&gt;(JsonSerializerOptions.Web);
    /// </code>
    /// </example>
    [RequiresUnreferencedCode("Deserializes by reflection; use the overload that takes a JsonTypeInfo.")]
    [RequiresDynamicCode("Deserializes by reflection; use the overload that takes a JsonTypeInfo.")]
    public T? To<T>(JsonSerializerOptions? serializerOptions = null) => JsonSerializer.Deserialize<T>(Utf8.Span, serializerOptions);

    /// <summary>Deserializes the value with source-generated metadata.</summary>
    /// <typeparam name="T">The type to make.</typeparam>
    /// <param name="typeInfo">The type's metadata, from a <see cref="JsonSerializerContext"/>.</param>
    /// <returns>The object; may be null for the JSON literal <c>null</c>.</returns>
    /// <exception cref="JsonException">The JSON does not match the type, or is nested deeper than the serializer's own limit.</exception>
    public T? To<T>(JsonTypeInfo<T> typeInfo) => JsonSerializer.Deserialize(Utf8.Span, typeInfo);

    /// <summary>Copies the value into a <see cref="JsonElement"/> that needs no disposal.</summary>
    /// <returns>The element.</returns>
    public JsonElement ToElement()
    {
        var reader = new Utf8JsonReader(Utf8.Span, new JsonReaderOptions { MaxDepth = int.MaxValue });
        return JsonElement.ParseValue(ref reader);
    }

    /// <summary>Gets the JSON text.</summary>
    /// <returns>The text, as <see cref="Utf8"/> has it.</returns>
    public override string ToString() => Encoding.UTF8.GetString(Utf8.Span);

    /// <summary>Compares two values as PostgreSQL's jsonb does. The order of keys, white space, and the notation of numbers and strings are ignored.</summary>
    /// <param name="other">The other value.</param>
    /// <returns>Whether the values are equal.</returns>
    public bool Equals(Jsonb other)
    {
        if (Utf8.Span.SequenceEqual(other.Utf8.Span))
        {
            return true;
        }

        using var left = JsonDocument.Parse(Utf8, AnyDepth);
        using var right = JsonDocument.Parse(other.Utf8, AnyDepth);
        return JsonElement.DeepEquals(left.RootElement, right.RootElement);
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Jsonb other && Equals(other);

    /// <summary>Gets a hash code. Equal values have the same one. It depends on the whole value, and differs from process to process.</summary>
    /// <returns>The hash code.</returns>
    public override int GetHashCode() => JsonbHash.Compute(Utf8.Span);

    /// <summary>Compares two values, as <see cref="Equals(Jsonb)"/> does.</summary>
    /// <param name="left">A value.</param>
    /// <param name="right">Another value.</param>
    /// <returns>Whether the values are equal.</returns>
    public static bool operator ==(Jsonb left, Jsonb right) => left.Equals(right);

    /// <summary>Compares two values, as <see cref="Equals(Jsonb)"/> does.</summary>
    /// <param name="left">A value.</param>
    /// <param name="right">Another value.</param>
    /// <returns>Whether the values differ.</returns>
    public static bool operator !=(Jsonb left, Jsonb right) => !left.Equals(right);

    /// <summary>Wraps bytes that the server sent. They need no check.</summary>
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
                // The filter catches only the serializer's own exceptions. An exception from a property of the object is the application's, and its message
                // may quote anything.
                throw new InvalidValueException(
                    Field,
                    "could not be serialized. It holds NaN, an infinite number, or a JsonElement that is default, nested too deep, or has a lone surrogate",
                    exception);
            }
        }

        return Parse(buffer.WrittenSpan, options);
    }
}
