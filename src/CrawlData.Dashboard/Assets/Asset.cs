namespace CrawlData.Dashboard.Assets;

/// <summary>An embedded file, compressed.</summary>
internal sealed record Asset(string Name, string ContentType, byte[] Plain, byte[] Brotli, byte[] Gzip);
