using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace CrawlData.Dashboard.Artifacts;

/// <summary>The part of a content that a request asks for, as a download that goes on does.</summary>
internal static class ByteRange
{
    /// <summary>Returns the part; null for the whole content. A server may ignore a range: it does when there are several, or a condition, because a content
    /// has no validator.</summary>
    /// <param name="request">The request.</param>
    /// <param name="length">The length of the whole content.</param>
    /// <exception cref="ArtifactException">The range begins behind the end.</exception>
    public static (long From, long Length)? Find(HttpRequest request, long length)
    {
        if (!RangeHeaderValue.TryParse(request.Headers.Range.ToString(), out var header)
            || header is not { Unit.Value: "bytes", Ranges.Count: 1 }
            || request.Headers.IfRange.Count > 0)
        {
            return null;
        }

        // The last bytes have no beginning.
        var range = header.Ranges.Single();
        var from = range.From ?? length - Math.Min(range.To!.Value, length);
        var to = range.From is null ? length - 1 : Math.Min(range.To ?? length - 1, length - 1);
        if (from > to)
        {
            request.HttpContext.Response.Headers.ContentRange = new ContentRangeHeaderValue(length).ToString();
            throw new ArtifactException(StatusCodes.Status416RangeNotSatisfiable, $"It has {length} bytes, and the range begins behind them.");
        }

        return (from, to - from + 1);
    }
}
