using CrawlData.Diagnostics;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds CrawlData's health check to an application's.</summary>
public static class CrawlDataHealthChecksBuilderExtensions
{
    /// <summary>Adds the <see cref="CrawlDataHealthCheck"/> of the database that <c>AddCrawlData</c>, or <c>AddKeyedCrawlData</c> with the key,
    /// registers.</summary>
    /// <param name="builder">The application's health checks.</param>
    /// <param name="name">The check's name. The default is <c>crawldata</c>, followed by <c>-</c> and the key where there is one.</param>
    /// <param name="serviceKey">The key that was passed to <c>AddKeyedCrawlData</c>; null for the database without one. Each check throws an
    /// <see cref="InvalidOperationException"/> when there is no such database.</param>
    /// <param name="failureStatus">The status of a failed check. The default is <see cref="HealthStatus.Unhealthy"/>.</param>
    /// <param name="tags">The check's tags; may be null.</param>
    /// <param name="timeout">How long a check may take. The default is 5 seconds. Then it has failed.</param>
    /// <returns><paramref name="builder"/>, for further calls.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The timeout is neither positive nor infinite.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddHealthChecks().AddCrawlData(tags: ["ready"]);
    /// </code>
    /// </example>
    public static IHealthChecksBuilder AddCrawlData(
        this IHealthChecksBuilder builder,
        string? name = null,
        string? serviceKey = null,
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null,
        TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name ?? (serviceKey is null ? "crawldata" : $"crawldata-{serviceKey}"),
            provider => Find(provider, serviceKey),
            failureStatus,
            tags,
            timeout ?? TimeSpan.FromSeconds(5)));
    }

    private static CrawlDataHealthCheck Find(IServiceProvider provider, string? key) =>
        (key is null ? provider.GetService<CrawlDataHealthCheck>() : provider.GetKeyedService<CrawlDataHealthCheck>(key))
            ?? throw new InvalidOperationException(
                key is null ? "The health check needs AddCrawlData." : $"The health check needs AddKeyedCrawlData(\"{key}\").");
}
