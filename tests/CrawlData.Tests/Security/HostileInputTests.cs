using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Tests.Security;

/// <summary>Hands every hostile value to every place of the public API that takes its type. The places are found by reflection: a new one of a type, an owner
/// or a text that is not known here fails and is named.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class HostileInputTests : DatabaseTest
{
    private static readonly TimeSpan LongestCase = TimeSpan.FromSeconds(20);

    private static readonly JsonbOptions Largest = new() { MaxDepth = JsonbOptions.LargestMaxDepth, MaxBytes = JsonbOptions.LargestMaxBytes };

    private static readonly JsonSerializerOptions AnyDepth = new() { MaxDepth = int.MaxValue, TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    // What has no hostile value. Of the library's own types, the properties are places.
    private static readonly HashSet<Type> Harmless =
    [
        typeof(bool), typeof(CancellationToken), typeof(NpgsqlDataSource), typeof(NpgsqlTransaction), typeof(IServiceCollection), typeof(JsonSerializerOptions),
        typeof(JsonTypeInfo<>), typeof(HealthCheckContext), typeof(Exception),
        typeof(IProgress<>), typeof(ILogger<>), typeof(Action<>), typeof(Func<,>), typeof(Func<,,>),
    ];

    // Texts that go to the server, and nowhere from where they could be read back.
    private static readonly HashSet<string> Unstored = ["cursor"];

    private NpgsqlDataSource single = null!;
    private Samples samples = null!;
    private int serverProcess;

    /// <summary>All of it goes over one connection, so that one that breaks, or is not given back, shows.</summary>
    [OneTimeSetUp]
    public async Task OpenConnectionAsync()
    {
        single = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1, Timeout = 5 });
        samples = await Samples.CreateAsync(single, DataSource);
        (serverProcess, _) = await LookAsync();
    }

    [OneTimeTearDown]
    public async Task CloseConnectionAsync() => await single.DisposeAsync();

    public static IEnumerable<TestCaseData> Places() =>
        Place.All.Where(place => ValuesOf(place) is not { Length: 0 }).Select(place => new TestCaseData(place).SetArgDisplayNames(place.Name));

    [Test]
    [TestCaseSource(nameof(Places))]
    public async Task A_hostile_value_is_refused_by_name_or_stored_as_it_is(object place) => await WalkAsync((Place)place);

    private async Task WalkAsync(Place place)
    {
        var values = ValuesOf(place);
        Assert.That(values, Is.Not.Null, $"{place} is of a type that this test does not know: {place.Type}.");
        var taken = 0;
        foreach (var value in values!)
        {
            var call = await PrepareAsync(place, value);
            var (_, before) = await LookAsync();
            IReadOnlyList<object?> stored = [];
            Exception? refusal = null;
            try
            {
                stored = await call().WaitAsync(LongestCase);
                taken++;
            }
            catch (Exception exception)
            {
                refusal = exception;
            }

            var (process, rows) = await LookAsync();
            if (refusal is not null)
            {
                Assert.That(IsByName(refusal, place), Is.True, () => $"{place} of {Shown(value)}: {refusal}");
                Assert.That(rows, Is.EqualTo(before), () => $"{place} of {Shown(value)} was refused, and rows were stored: {refusal}");
            }

            Assert.That(process, Is.EqualTo(serverProcess), () => $"{place} of {Shown(value)} broke the connection");
            foreach (var read in stored)
            {
                Assert.That(await AreEqualAsync(read, Kept(value)), Is.True, () => $"{place} of {Shown(value)} came back as {Shown(read)}");
            }
        }

        // Ids are of rows that are not there.
        Assert.That(taken > 0 || values.All(value => value is null or Guid), Is.True, () => $"{place} takes nothing, which proves nothing.");
    }

    /// <summary>Makes all that a call needs, so that only the call is left to be done.</summary>
    /// <returns>Makes the call, and returns what is read back of the value from wherever it went.</returns>
    private async Task<Func<Task<IReadOnlyList<object?>>>> PrepareAsync(Place place, object? value)
    {
        if (place.Property is { } property)
        {
            return () => SetAsync(property, value);
        }

        switch ($"{place.Owner.Name}.{place.Method!.Name}({place.Member})")
        {
            case "Jsonb.Parse(json)":
                return () => StoreAsync(options => Jsonb.Parse((string)value!, options));
            case "Jsonb.Parse(utf8Json)":
                return () => StoreAsync(options => Jsonb.Parse((byte[])value!, options));
            case "Jsonb.FromElement(element)":
                return () => StoreAsync(options => Jsonb.FromElement((JsonElement)value!, options));
            case "Jsonb.From(value)" when place.Method.GetParameters()[1].ParameterType == typeof(JsonSerializerOptions):
                return () => StoreAsync(options => Jsonb.From(value, options is null ? null : AnyDepth, options));
            case "Jsonb.From(value)":
                return () => StoreAsync(options => Jsonb.From(value, (JsonTypeInfo<object?>)AnyDepth.GetTypeInfo(typeof(object)), options));
            case "CrawledText.Repair(text)":
                return async () =>
                {
                    var repaired = CrawledText.Repair((string?)value);
                    Assert.That(repaired?.Length, Is.EqualTo(((string?)value)?.Length));
                    var rows = await samples.UseAsync(new AuditFindings { FinalUrl = repaired });
                    Assert.That(rows.Cast<AuditSession>().Single().FinalUrl, Is.EqualTo(repaired));
                    return [];
                };
            case "CrawlDataServiceCollectionExtensions.AddCrawlData(connectionString)":
                return async () =>
                {
                    await using var provider = new ServiceCollection().AddCrawlData((string)value!).BuildServiceProvider();
                    provider.GetRequiredService<CrawlEventRepository>();
                    return [];
                };
            case "RecordingImporter.ImportAsync(recording)":
                return async () =>
                {
                    await new RecordingImporter(single).ImportAsync(value is null ? null! : new MemoryStream((byte[])value));
                    return [];
                };
            default:
                var arguments = await samples.ArgumentsAsync(place.Method);
                var target = place.Method.IsStatic || place.Method.IsConstructor ? null : samples.Instance(place.Owner);
                return () => InvokeAsync(place, target, arguments, value);
        }
    }

    /// <summary>Sets a property of a sample, uses that in all ways, and reads the property of the same name of what was stored.</summary>
    private async Task<IReadOnlyList<object?>> SetAsync(PropertyInfo property, object? value)
    {
        var taker = await samples.NewAsync(property.DeclaringType!);
        property.SetValue(taker, value, BindingFlags.DoNotWrapExceptions, null, null, null);
        var set = property.GetValue(taker);
        var normalized = property.Name == nameof(NewAuditSession.Url);
        var isSet = normalized || await AreEqualAsync(set, value) || await AreEqualAsync(set, Kept(value));
        Assert.That(isSet, Is.True, () => $"{Shown(value)} was set, and is {Shown(set)}");
        var rows = await samples.UseAsync(taker);
        if (value is null)
        {
            return [];
        }

        return [.. rows.Select(row =>
        {
            var read = row.GetType().GetProperty(property.Name)!.GetValue(row);
            return normalized && Equals(read, set) ? value : read;
        })];
    }

    /// <summary>Makes JSON with the limits as they are and with the largest, and stores it.</summary>
    private async Task<IReadOnlyList<object?>> StoreAsync(Func<JsonbOptions?, Jsonb> make)
    {
        var made = make(Largest);
        try
        {
            Assert.That(make(null) == made);
        }
        catch (InvalidValueException lower) when (lower.Field == "json")
        {
            // Its depth, or its size, is over a limit that may be raised.
        }

        var run = new NewCrawlRun { AppPackage = "org.example.json", DeviceConfig = made };
        foreach (CrawlRun row in await samples.UseAsync(run))
        {
            Assert.That(await AreEqualAsync(row.DeviceConfig, made), Is.True, () => $"{made} came back as {row.DeviceConfig}");
        }

        return [];
    }

    private static async Task<IReadOnlyList<object?>> InvokeAsync(Place place, object? target, object?[] arguments, object? value)
    {
        arguments[place.Parameter!.Position] = value is object?[] rows && place.Type == typeof(IAsyncEnumerable<NewCrawlEvent>)
            ? Samples.ToStream(rows.Cast<NewCrawlEvent>())
            : value;
        var result = place.Method is ConstructorInfo constructor
            ? constructor.Invoke(BindingFlags.DoNotWrapExceptions, null, arguments, null)
            : place.Method!.Invoke(target, BindingFlags.DoNotWrapExceptions, null, arguments, null);
        var got = await Samples.ResultAsync(result);
        got = got?.GetType().GetProperty("Row")?.GetValue(got) ?? got;
        var stored = Unstored.Contains(place.Member) ? null : got?.GetType().GetProperty(char.ToUpperInvariant(place.Member[0]) + place.Member[1..]);
        var isText = place.Type == typeof(string) || place.Type == typeof(Jsonb) || place.Type == typeof(Jsonb?);
        Assert.That(!isText || stored is not null || Unstored.Contains(place.Member), Is.True, () => $"It is not known where {place} can be read back.");
        return stored is null || value is null ? [] : [stored.GetValue(got)];
    }

    /// <summary>Whether a refusal is of the library's own, and says what is refused.</summary>
    private static bool IsByName(Exception refusal, Place place) => refusal switch
    {
        InvalidValueException invalid => invalid.Field == place.Field || (place.Owner == typeof(Jsonb) && invalid.Field == "json"),
        ArgumentNullException { ParamName: var name } => name == place.Member || name == place.Field,
        RowNotFoundException unknown => place.Field.EndsWith("id", StringComparison.Ordinal) && unknown.Ids.Count == 1,
        RecordingException recording => place.Owner == typeof(RecordingImporter) && recording.Line == 1,

        // As documented: an element that is default, and the serializer's own limit.
        InvalidOperationException => place.Name == "Jsonb.FromElement(element)",
        JsonException => place.Name == "Jsonb.From(value)",
        _ => false,
    };

    /// <summary>What is handed to a place; none when it takes nothing hostile, null when its type is not known.</summary>
    private static object?[]? ValuesOf(Place place)
    {
        var type = Nullable.GetUnderlyingType(place.Type) ?? place.Type;
        if (Harmless.Contains(type.IsGenericType ? type.GetGenericTypeDefinition() : type))
        {
            return [];
        }

        var values = ValuesOf(place, type);
        return values is null or [] || (type.IsValueType && type == place.Type) ? values : [null, .. values];
    }

    private static object?[]? ValuesOf(Place place, Type type)
    {
        if (type == typeof(string))
        {
            return place.Member switch
            {
                nameof(NewAuditSession.Url) => HostileValues.Urls,
                "cursor" => HostileValues.Cursors,
                "json" => [.. HostileValues.JsonTexts, HostileValues.LargeJson],
                "connectionString" => HostileValues.ConnectionStrings,
                _ => HostileValues.Texts,
            };
        }

        if (type.IsEnum)
        {
            return HostileValues.Enums(type);
        }

        if (type.IsGenericParameter)
        {
            return [.. HostileValues.Texts, .. HostileValues.Elements, .. HostileValues.Objects];
        }

        if (type == typeof(ReadOnlySpan<byte>) || (type == typeof(Stream) && place.Owner == typeof(RecordingImporter)))
        {
            return HostileValues.JsonBytes;
        }

        // Null, where it takes none.
        if (type == typeof(Stream) || (type.IsClass && type.Assembly == typeof(Jsonb).Assembly))
        {
            return place.TakesNull ? [] : [null];
        }

        if (type.IsGenericType && typeof(IEnumerable).IsAssignableFrom(type) && type.GenericTypeArguments is [var item])
        {
            // Of rows, one that is null.
            var ofOne = item.IsGenericType ? [Activator.CreateInstance(item)]
                : item.IsClass && item.Assembly == typeof(Jsonb).Assembly ? [null]
                : ValuesOf(place, item);
            return ofOne is null ? null : [ArrayOf(item), .. ofOne.Select(value => ArrayOf(item, value))];
        }

        return type.Name.StartsWith("IAsyncEnumerable", StringComparison.Ordinal) ? [Array.Empty<object>(), new object?[] { null }]
            : type == typeof(JsonElement) ? HostileValues.Elements
            : type == typeof(Jsonb) ? HostileValues.Jsonbs
            : type == typeof(DateTimeOffset) ? HostileValues.Times
            : type == typeof(TimeSpan) ? HostileValues.Spans
            : type == typeof(int) ? HostileValues.Ints
            : type == typeof(long) ? HostileValues.Longs
            : type == typeof(Guid) ? HostileValues.Guids
            : null;
    }

    private static Array ArrayOf(Type item, params object?[] values)
    {
        var array = Array.CreateInstance(item, values.Length);
        values.CopyTo(array, 0);
        return array;
    }

    /// <summary>A value as it is documented to be kept.</summary>
    private static object? Kept(object? value) =>
        value is DateTimeOffset time ? time.ToUniversalTime().AddTicks(-(time.UtcTicks % TimeSpan.TicksPerMicrosecond)) : value;

    private async Task<bool> AreEqualAsync(object? one, object? other) => (one, other) switch
    {
        (Jsonb mine, Jsonb others) => mine == others || await AreEqualOnServerAsync(mine, others),
        (IEnumerable mine and not string, IEnumerable others and not string) => mine.Cast<object?>().SequenceEqual(others.Cast<object?>()),
        _ => Equals(one, other),
    };

    // Of keys that occur twice only the last counts there.
    private async Task<bool> AreEqualOnServerAsync(Jsonb one, Jsonb other)
    {
        await using var equal = DataSource.CreateCommand("select $1 = $2");
        equal.Parameters.Add(new NpgsqlParameter { Value = one.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
        equal.Parameters.Add(new NpgsqlParameter { Value = other.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
        return (bool)(await equal.ExecuteScalarAsync())!;
    }

    private async Task<(int Process, long Rows)> LookAsync()
    {
        await using var connection = await single.OpenConnectionAsync();
        return await connection.QuerySingleAsync<(int, long)>(
            """
            select pg_backend_pid(),
                   (select count(*) from crawl_runs) + (select count(*) from crawl_events) + (select count(*) from audit_sessions)
                   + (select count(*) from audit_pages) + (select count(*) from artifacts) + (select count(*) from crawl_logs)
            """);
    }

    private static string Shown(object? value)
    {
        var text = value switch
        {
            Array items => $"[{string.Join(", ", items.Cast<object?>().Take(50).Select(Shown))}]",
            JsonElement { ValueKind: not JsonValueKind.Undefined } element => element.GetRawText(),
            _ => JsonSerializer.Serialize($"{value ?? "null"}"),
        };
        return text.Length > 200 ? $"{text[..100]}… of {text.Length}" : text;
    }
}
