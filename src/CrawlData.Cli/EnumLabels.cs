using System.Text.Json;

namespace CrawlData.Cli;

/// <summary>The labels of the library's enums, as PostgreSQL and JSON have them.</summary>
internal static class EnumLabels
{
    public static string ToLabel<T>(this T value) where T : struct, Enum => JsonSerializer.SerializeToElement(value).GetString()!;

    /// <summary>Gets all labels, in the enum's order.</summary>
    public static IEnumerable<string> All<T>() where T : struct, Enum => Enum.GetValues<T>().Select(ToLabel);

    /// <summary>Finds the value that has a label, in upper or lower case.</summary>
    public static bool TryParse<T>(string label, out T value) where T : struct, Enum
    {
        foreach (var candidate in Enum.GetValues<T>())
        {
            if (candidate.ToLabel().Equals(label, StringComparison.OrdinalIgnoreCase))
            {
                value = candidate;
                return true;
            }
        }

        value = default;
        return false;
    }
}
