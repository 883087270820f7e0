namespace OpenTelemetry.Trace;

/// <summary>Adds CrawlData's spans to an application's.</summary>
public static class CrawlDataTracerProviderBuilderExtensions
{
    /// <summary>Adds the activity source <c>CrawlData</c>. Its spans hold no payload, no URL and no text of an error.</summary>
    /// <remarks>Npgsql's spans of single statements are a source of their own.</remarks>
    /// <param name="builder">The application's tracing.</param>
    /// <returns><paramref name="builder"/>, for further calls.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddOpenTelemetry().WithTracing(tracing =&gt; tracing.AddCrawlDataInstrumentation());
    /// </code>
    /// </example>
    public static TracerProviderBuilder AddCrawlDataInstrumentation(this TracerProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddSource("CrawlData");
    }
}
