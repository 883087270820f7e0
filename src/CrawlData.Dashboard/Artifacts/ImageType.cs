namespace CrawlData.Dashboard.Artifacts;

/// <summary>Tells images that browsers show and that run no code by their first bytes. SVG is none of them.</summary>
internal static class ImageType
{
    /// <summary>The number of bytes that <see cref="Find"/> needs.</summary>
    public const int HeadLength = 12;

    /// <summary>Returns the content type of an image; null for anything else.</summary>
    public static string? Find(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a]) ? "image/png"
        : head.StartsWith((ReadOnlySpan<byte>)[0xff, 0xd8, 0xff]) ? "image/jpeg"
        : head.StartsWith("GIF87a"u8) || head.StartsWith("GIF89a"u8) ? "image/gif"
        : head.Length >= HeadLength && head.StartsWith("RIFF"u8) && head[8..].StartsWith("WEBP"u8) ? "image/webp"
        : null;
}
