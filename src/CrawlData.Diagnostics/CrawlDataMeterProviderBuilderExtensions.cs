namespace OpenTelemetry.Metrics;

/// <summary>Adds CrawlData's metrics to an application's.</summary>
public static class CrawlDataMeterProviderBuilderExtensions
{
    /// <summary>Adds the meter <c>CrawlData</c>.</summary>
    /// <param name="builder">The application's metrics.</param>
    /// <returns><paramref name="builder"/>, for further calls.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddOpenTelemetry().WithMetrics(metrics =&gt; metrics.AddCrawlDataInstrumentation());
    /// </code>
    /// </example>
    public static MeterProviderBuilder AddCrawlDataInstrumentation(this MeterProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddMeter("CrawlData");
    }
}
