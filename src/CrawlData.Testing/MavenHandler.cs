using System.Net;
using MysticMind.PostgresEmbed;

namespace CrawlData.Testing;

/// <summary>Ends a download when a file is missing, or when its checksum cannot be read. MysticMind.PostgresEmbed repeats an attempt after other errors, but
/// not after its own exception.</summary>
internal sealed class MavenHandler(HttpMessageHandler innerHandler) : DelegatingHandler(innerHandler)
{
    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var isChecksum = request.RequestUri!.AbsolutePath.EndsWith(".sha256", StringComparison.Ordinal);
        HttpResponseMessage response;
        try
        {
            response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if (isChecksum)
            {
                await response.Content.LoadIntoBufferAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (HttpRequestException exception) when (isChecksum)
        {
            throw Refusal(FetchFailure.Unreachable, $"does not send the checksum: {exception.Message}");
        }

        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            response.Dispose();
            throw Refusal(FetchFailure.Missing, $"does not have {Path.GetFileName(request.RequestUri.AbsolutePath)}.");
        }

        if (isChecksum && !response.IsSuccessStatusCode)
        {
            response.Dispose();
            throw Refusal(FetchFailure.Unreachable, $"does not send the checksum, but the status {(int)response.StatusCode}.");
        }

        return response;
    }

    private static PostgresEmbedException Refusal(FetchFailure failure, string message) => new(message, new FetchException(failure, message));
}
