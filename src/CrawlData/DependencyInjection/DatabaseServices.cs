using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>Resolves the services of one database.</summary>
/// <param name="provider">The application's services.</param>
/// <param name="key">The services' key; null for services without one.</param>
internal sealed class DatabaseServices(IServiceProvider provider, string? key)
{
    public string? Key => key;

    public CrawlDataOptions Options => key is null
        ? provider.GetRequiredService<IOptions<CrawlDataOptions>>().Value
        : NamedOptions<CrawlDataOptions>(key);

    public NpgsqlDataSource Primary => Sources.Primary;

    public NpgsqlDataSource Reads => Sources.Reads;

    public TimeProvider? Time => provider.GetService<TimeProvider>();

    public IServiceScopeFactory Scopes => provider.GetRequiredService<IServiceScopeFactory>();

    public ILoggerFactory? LoggerFactory => provider.GetService<ILoggerFactory>();

    private CrawlDataSources Sources => Find<CrawlDataSources>(provider, key) ?? throw new InvalidOperationException(
        key is null ? "Call AddCrawlData first." : $"Call AddKeyedCrawlData(\"{key}\") first. {Calls()}");

    /// <summary>Finds a service with a key, or without one. A container needs to support keys only where the application uses them.</summary>
    public static T? Find<T>(IServiceProvider provider, string? key) where T : class =>
        key is null ? provider.GetService<T>() : provider.GetKeyedService<T>(key);

    public T Get<T>() where T : class => Find<T>(provider, key)!;

    public T NamedOptions<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] T>(string name) where T : class =>
        provider.GetRequiredService<IOptionsMonitor<T>>().Get(name);

    public ILogger<T>? Logger<T>() => provider.GetService<ILogger<T>>();

    private string Calls() => provider.GetServices<RegisteredDatabase>().Select(database => database.Key).OfType<string>().ToList() is { Count: > 0 } keys
        ? $"It was called with: {string.Join(", ", keys)}."
        : "It was called with no key.";
}
