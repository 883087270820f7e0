using System.Collections.Frozen;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace CrawlData.Dashboard.Assets;

/// <summary>The stylesheet, the scripts and the icon. Their names hold a hash of their content, so a browser may keep them. They are compressed once.</summary>
internal static class AssetCatalog
{
    private static readonly FrozenDictionary<string, Asset> ByName =
        new[]
        {
            Read("dashboard.css", "text/css"), Read("dashboard.js", "text/javascript"), Read("live.js", "text/javascript"),
            Read("icon.svg", "image/svg+xml"),
        }.ToFrozenDictionary(asset => asset.Name);

    public static IEnumerable<string> Names => ByName.Keys;

    public static string Style { get; } = Find("dashboard", ".css");

    public static string Script { get; } = Find("dashboard", ".js");

    public static string LiveScript { get; } = Find("live", ".js");

    public static string Icon { get; } = Find("icon", ".svg");

    /// <summary>Writes an asset in the best encoding that the client accepts, or answers 404.</summary>
    public static async Task WriteAsync(HttpContext context, string name)
    {
        if (!ByName.TryGetValue(name, out var asset))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        var (encoding, bytes) = Accepts(context, "br") ? ("br", asset.Brotli) : Accepts(context, "gzip") ? ("gzip", asset.Gzip) : (null, asset.Plain);
        var headers = context.Response.Headers;
        headers.ContentType = asset.ContentType;
        headers.ContentEncoding = encoding;
        headers.Vary = HeaderNames.AcceptEncoding;
        headers.CacheControl = "private, max-age=31536000, immutable";
        headers.ContentLength = bytes.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
        }
    }

    private static bool Accepts(HttpContext context, string encoding) =>
        context.Request.GetTypedHeaders().AcceptEncoding.Any(
            accepted => accepted.Value.Equals(encoding, StringComparison.OrdinalIgnoreCase) && accepted.Quality != 0);

    private static string Find(string file, string extension) => ByName.Keys.Single(
        name => name.StartsWith($"{file}.", StringComparison.Ordinal) && name.EndsWith(extension, StringComparison.Ordinal));

    private static Asset Read(string file, string contentType)
    {
        using var source = typeof(AssetCatalog).Assembly.GetManifestResourceStream(file)!;
        using var content = new MemoryStream();
        source.CopyTo(content);
        var bytes = content.ToArray();
        var hash = Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 6));
        return new Asset(
            Path.GetFileNameWithoutExtension(file) + $".{hash}" + Path.GetExtension(file),
            $"{contentType}; charset=utf-8",
            bytes,
            Compress(bytes, target => new BrotliStream(target, CompressionLevel.SmallestSize)),
            Compress(bytes, target => new GZipStream(target, CompressionLevel.SmallestSize)));
    }

    private static byte[] Compress(byte[] bytes, Func<Stream, Stream> open)
    {
        using var target = new MemoryStream();
        using (var compressor = open(target))
        {
            compressor.Write(bytes);
        }

        return target.ToArray();
    }
}
