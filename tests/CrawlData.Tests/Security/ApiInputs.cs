using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using Microsoft.Extensions.DependencyInjection;
using static CrawlData.Tests.Security.ApiInput;

namespace CrawlData.Tests.Security;

/// <summary>The table of inputs of the public API. A test finds inputs that it does not know.</summary>
internal static partial class ApiInputs
{
    private static readonly TimeSpan Microsecond = TimeSpan.FromMicroseconds(1);

    private static readonly JsonSerializerOptions AnyDepth = new() { MaxDepth = int.MaxValue, TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    private static readonly ExpectedError RefusedJson = ExpectedError.OfValue("json");

    public static IReadOnlyList<ApiInput> All { get; } = [.. Json, .. Registration, .. Recordings, .. Crawls, .. Audits, .. Retention, .. Options, .. Workers];

    private static IEnumerable<ApiInput> Json =>
    [
        Of<string>("Jsonb.Parse(json)", (api, json) => api.StoreAsync(options => Jsonb.Parse(json, options)), [
            (null!, new ExpectedError(typeof(ArgumentNullException), "json")),
            .. Cases(MalformedJson.Accepted.Append(MalformedJson.Large), null),
            .. Cases(MalformedJson.Refused, RefusedJson),
        ]),
        Of<byte[]>("Jsonb.Parse(utf8Json)", (api, json) => api.StoreAsync(options => Jsonb.Parse(json, options)), [
            .. Cases(MalformedJson.AcceptedBytes, null),
            .. Cases(MalformedJson.RefusedBytes, RefusedJson),
        ]),
        Of<JsonElement>("Jsonb.FromElement(element)", (api, json) => api.StoreAsync(options => Jsonb.FromElement(json, options)), [
            (default, new ExpectedError(typeof(InvalidOperationException))),
            .. Cases(MalformedJson.AcceptedElements, null),
            .. Cases(MalformedJson.RefusedButReadable.Concat(MalformedJson.NotStorable).Select(MalformedJson.Read), RefusedJson),
        ]),
        Of<object?>("Jsonb.From(value)",
            (api, value) => api.StoreAsync(options => Jsonb.From(value, options is null ? null : AnyDepth, options)), [
            .. Cases(MalformedJson.AcceptedObjects, null),
            .. Cases(MalformedJson.RefusedObjects, RefusedJson),
        ]),
        Of<object?>("Jsonb.From(value)", (api, value) => api.StoreAsync(options => Jsonb.From(value, AnyType, options)), [
            .. Cases(MalformedJson.AcceptedObjects, null),
            .. Cases(MalformedJson.RefusedObjects, RefusedJson),
        ]),
        Of<string?>("CrawledText.Repair(text)", RepairAsync, [
            (null, null), .. Cases<string?>(MalformedText.NotStorable, null), .. Cases<string?>(MalformedText.Storable, null),
        ]),
    ];

    private static IEnumerable<ApiInput> Registration =>
    [
        Of<string>("CrawlDataServiceCollectionExtensions.AddCrawlData(connectionString)", RegisterAsync, [
            (null!, new ExpectedError(typeof(ArgumentNullException), "connectionString")),
            .. Cases(MalformedInput.AcceptedConnectionStrings, null),
            .. Cases(MalformedInput.RefusedConnectionStrings, ExpectedError.OfValue("connection_string")),
        ]),
        Of<string>("CrawlDataKeyedServiceCollectionExtensions.AddKeyedCrawlData(connectionString)", RegisterWithKeyAsync, [
            (null!, new ExpectedError(typeof(ArgumentNullException), "connectionString")),
            .. Cases(MalformedInput.AcceptedConnectionStrings, null),
            .. Cases(MalformedInput.RefusedConnectionStrings, ExpectedError.OfValue("connection_string")),
        ]),
        ServiceKey("AddKeyedCrawlData", (services, key) => services.AddKeyedCrawlData(key)),
        ServiceKey("AddKeyedCrawlData", (services, key) => services.AddKeyedCrawlData(key, "Host=localhost")),
        ServiceKey("AddKeyedAuditWorker", (services, key) => services.AddKeyedAuditWorker<Examples.Auditor>(key)),
        ServiceKey("AddKeyedCrawlWorker", (services, key) => services.AddKeyedCrawlWorker<Examples.Crawler>(key)),
        ServiceKey("AddKeyedCrawlDataJanitor", (services, key) => services.AddKeyedCrawlDataJanitor(key)),
        Required<Exception>("ServerErrors.Describe(exception)", (_, exception) => Task.FromResult(ServerErrors.Describe(exception))),
        Required<Exception>("ServerErrors.IsRefusal(exception)", (_, exception) => Task.FromResult(ServerErrors.IsRefusal(exception))),
        Required<Exception>("ServerErrors.IsMissingPartition(exception)", (_, exception) => Task.FromResult(ServerErrors.IsMissingPartition(exception))),
    ];

    private static IEnumerable<ApiInput> Recordings =>
    [
        Id("RecordingExporter.ExportCrawlAsync(crawlId)", (api, id) => api.Exporter.ExportCrawlAsync(id, Stream.Null), ExpectedError.NotFound),
        Required<Stream>("RecordingExporter.ExportCrawlAsync(recording)", (api, stream) => api.Exporter.ExportCrawlAsync(api.CrawlId, stream)),
        Id("RecordingExporter.ExportSessionAsync(sessionId)", (api, id) => api.Exporter.ExportSessionAsync(id, Stream.Null), ExpectedError.NotFound),
        Required<Stream>("RecordingExporter.ExportSessionAsync(recording)", (api, stream) => api.Exporter.ExportSessionAsync(api.SessionId, stream)),
        Required<Stream>("RecordingImporter.ImportAsync(recording)", (api, stream) => api.Importer.ImportAsync(stream)),
        Of<byte[]>("RecordingImporter.ImportAsync(recording)", (api, bytes) => api.Importer.ImportAsync(new MemoryStream(bytes)), [
            ([], null), (" "u8.ToArray(), null),
            .. Cases(MalformedJson.AcceptedBytes, new ExpectedError(typeof(RecordingException))),
            .. Cases(MalformedJson.RefusedBytes.Where(bytes => bytes is not ([] or [(byte)' '])), new ExpectedError(typeof(RecordingException))),
        ]),
        Required<Stream>("CrawlEventLineReader.new(input)", (_, stream) => Task.FromResult(new CrawlEventLineReader(stream))),
    ];

    private static JsonTypeInfo<object?> AnyType => (JsonTypeInfo<object?>)AnyDepth.GetTypeInfo(typeof(object));

    private static IEnumerable<(T Value, ExpectedError? Error)> Cases<T>(IEnumerable<T> values, ExpectedError? error) => values.Select(value => (value, error));

    /// <summary>Repaired text has the same length, and can be stored.</summary>
    private static async Task RepairAsync(ValidArguments api, string? text)
    {
        var repaired = CrawledText.Repair(text);
        Assert.That(repaired?.Length, Is.EqualTo(text?.Length));
        Assert.That(await api.StoreAsync(new AuditFindings { FinalUrl = repaired }, session => session.FinalUrl), Is.EqualTo(new[] { repaired }));
    }

    private static ApiInput ServiceKey(string method, Func<IServiceCollection, string, IServiceCollection> register) =>
        Of<string>(
            $"CrawlDataKeyedServiceCollectionExtensions.{method}(serviceKey)",
            (_, key) => Task.FromResult(register(new ServiceCollection(), key)),
            [
                (null!, new ExpectedError(typeof(ArgumentNullException), "serviceKey")),
                ("", new ExpectedError(typeof(ArgumentException), "serviceKey")),
                .. Cases(MalformedText.NotStorable.Concat(MalformedText.Storable).Where(text => text.Length > 0), null),
            ]);

    private static async Task RegisterWithKeyAsync(ValidArguments api, string connectionString)
    {
        await using var provider = new ServiceCollection().AddKeyedCrawlData("eu", connectionString).BuildServiceProvider();
        provider.GetRequiredKeyedService<CrawlEventRepository>("eu");
    }

    private static async Task RegisterAsync(ValidArguments api, string connectionString)
    {
        await using var provider = new ServiceCollection().AddCrawlData(connectionString).BuildServiceProvider();
        provider.GetRequiredService<CrawlEventRepository>();
    }
}
