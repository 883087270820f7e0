using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;

namespace CrawlData.Storage;

/// <summary>Converts enums to and from the labels that PostgreSQL and recordings use. A member's attribute has its label. Labels are sent as text, and the
/// statement casts them, because Npgsql's enum mapping goes stale when a migration makes the type.</summary>
internal static class EnumLabels
{
    /// <summary>Gets the label of a value.</summary>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public static string ToLabel<T>(this T value) where T : struct, Enum =>
        IsDefined(value) ? Labels<T>.ByValue[Unsafe.BitCast<T, int>(value)] : throw Undefined(value, typeof(T).Name);

    /// <summary>Gets the labels of values, for a filter; null for null.</summary>
    /// <exception cref="InvalidValueException">A value is not defined.</exception>
    public static string[]? ToLabels<T>(this IEnumerable<T>? values) where T : struct, Enum => values?.Select(ToLabel).ToArray();

    /// <summary>Checks a column's value.</summary>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public static T Require<T>(T value, string column) where T : struct, Enum => IsDefined(value) ? value : throw Undefined(value, column);

    /// <inheritdoc cref="Require{T}(T, string)"/>
    public static T[]? Require<T>(IEnumerable<T>? values, string column) where T : struct, Enum => values?.Select(value => Require(value, column)).ToArray();

    /// <summary>Gets the value of a label; null when the label is unknown or null.</summary>
    public static T? TryParse<T>(string? label) where T : struct, Enum => ToValue<T>(Array.IndexOf(Labels<T>.ByValue, label));

    /// <summary>Gets the value of a label in upper or lower case; null when the label is unknown.</summary>
    public static T? TryParseIgnoringCase<T>(string label) where T : struct, Enum =>
        ToValue<T>(Array.FindIndex(Labels<T>.ByValue, known => known.Equals(label, StringComparison.OrdinalIgnoreCase)));

    /// <summary>Gets all labels, in the enum's order.</summary>
    public static IReadOnlyList<string> All<T>() where T : struct, Enum => Labels<T>.ByValue;

    private static bool IsDefined<T>(T value) where T : struct, Enum => (uint)Unsafe.BitCast<T, int>(value) < (uint)Labels<T>.ByValue.Length;

    private static T? ToValue<T>(int index) where T : struct, Enum => index < 0 ? null : Unsafe.BitCast<int, T>(index);

    private static InvalidValueException Undefined<T>(T value, string field) where T : struct, Enum =>
        new(field, $"is {value:D}, which {typeof(T).Name} does not define");

    // The values are 0, 1, 2, and so on. Plain arrays, because each generic type over an enum is compiled anew when a process starts.
    private static class Labels<T> where T : struct, Enum
    {
        public static readonly string[] ByValue =
            [.. Enum.GetNames<T>().Select(name => typeof(T).GetField(name)!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name)];
    }
}
