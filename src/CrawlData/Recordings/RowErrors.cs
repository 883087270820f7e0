using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using CrawlData.Storage;

namespace CrawlData.Recordings;

/// <summary>Explains why an element of NDJSON is not a row: it names the field, what the field holds, and what it takes. It quotes no value.</summary>
internal static class RowErrors
{
    /// <summary>Explains why an element cannot be deserialized.</summary>
    /// <param name="element">The element.</param>
    /// <param name="row">The contract of the row.</param>
    /// <param name="noun">The name of the table, or of another object.</param>
    public static string Explain(JsonElement element, JsonTypeInfo row, string noun)
    {
        var columns = row.Properties;
        if (element.ValueKind != JsonValueKind.Object)
        {
            return $"is {Describe(element.ValueKind)}; a row of {noun} is an object with {Join(columns.Select(column => column.Name), "and")}.";
        }

        var seen = new HashSet<string>();
        foreach (var field in element.EnumerateObject())
        {
            if (columns.FirstOrDefault(column => column.Name == field.Name) is not { } column)
            {
                // Its name is not quoted: it is text of the line.
                return columns.FirstOrDefault(known => Letters(known.Name).Equals(Letters(field.Name), StringComparison.OrdinalIgnoreCase)) is { } meant
                    ? $"{meant.Name}: has another spelling on this line; names are in snake_case."
                    : $"field {seen.Count + 1} is not one of {noun}, which has {Join(columns.Select(known => known.Name), "and")}.";
            }

            if (!seen.Add(column.Name))
            {
                return $"{column.Name}: occurs twice.";
            }

            if (ExplainValue(field.Value, column, row.Options) is { } reason)
            {
                return $"{column.Name}: {reason}.";
            }
        }

        var missing = columns.FirstOrDefault(column => column.IsRequired && !seen.Contains(column.Name));
        return missing is null
            ? $"is not a row of {noun}."
            : $"{missing.Name}: is missing; a row of {noun} needs {Join(columns.Where(column => column.IsRequired).Select(column => column.Name), "and")}.";
    }

    private static string? ExplainValue(JsonElement value, JsonPropertyInfo column, JsonSerializerOptions options)
    {
        if (value.ValueKind == JsonValueKind.Null && !column.IsSetNullable && column.PropertyType != typeof(Jsonb))
        {
            return $"is null; it takes {Expected(column.PropertyType, options)}";
        }

        try
        {
            value.Deserialize(options.GetTypeInfo(column.PropertyType));
            return null;
        }
        catch (InvalidValueException exception)
        {
            return exception.Reason;
        }
        catch (JsonException)
        {
            var type = Nullable.GetUnderlyingType(column.PropertyType) ?? column.PropertyType;
            var found = IsTime(type) && value.ValueKind == JsonValueKind.String && TimeConverter.LacksOffset(value.GetString()!)
                ? "has no offset, and none is assumed"
                : value.ValueKind == JsonValueKind.String && type != typeof(string) ? "has another text" : $"is {Describe(value.ValueKind)}";
            return $"{found}; it takes {Expected(type, options)}";
        }
    }

    private static string Expected(Type type, JsonSerializerOptions options)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type switch
        {
            { IsEnum: true } => $"one of {Join(((ILabels)options.GetTypeInfo(type).Converter).Labels, "and")}",
            _ when IsTime(type) => "a time with its offset, such as 2026-11-23T08:30:00Z or 2026-11-23 09:30:00.5+01:00",
            _ when type == typeof(Guid) => "a UUID, such as 0199b3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
            _ when type == typeof(string) => "text",
            _ when type == typeof(bool) => "true or false",
            _ when type == typeof(int) => $"a whole number from {int.MinValue} to {int.MaxValue}",
            _ when type == typeof(long) => $"a whole number from {long.MinValue} to {long.MaxValue}",
            _ => "a JSON value",
        };
    }

    private static bool IsTime(Type type) => type == typeof(DateTimeOffset) || type == typeof(Instant);

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };

    private static string Letters(string name) => name.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);

    private static string Join(IEnumerable<string> names, string conjunction)
    {
        var all = names.ToArray();
        return all.Length < 2 ? string.Concat(all) : $"{string.Join(", ", all[..^1])} {conjunction} {all[^1]}";
    }
}
