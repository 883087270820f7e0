using System.Text.Json;

namespace CrawlData.Dashboard.Artifacts;

/// <summary>Finds the storage URI in an event's payload.</summary>
internal static class ArtifactReference
{
    /// <summary>Returns the first of the properties that is a text; null when there is none.</summary>
    public static string? Find(Jsonb payload, IEnumerable<string> properties)
    {
        if (payload.ToElement() is not { ValueKind: JsonValueKind.Object } json)
        {
            return null;
        }

        foreach (var property in properties)
        {
            if (json.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } uri)
            {
                return uri;
            }
        }

        return null;
    }
}
