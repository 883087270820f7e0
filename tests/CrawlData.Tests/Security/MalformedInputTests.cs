using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Schema;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Security;

/// <summary>Gives each input of the public API malformed values: each causes the error of the table and stores nothing, or is stored as it is.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class MalformedInputTests : DatabaseTest
{

    // Types without malformed values. The properties of the library's own types are inputs of their own.
    private static readonly HashSet<Type> Harmless =
    [
        typeof(bool), typeof(CancellationToken), typeof(NpgsqlDataSource), typeof(NpgsqlTransaction), typeof(IServiceCollection), typeof(JsonSerializerOptions),
        typeof(JsonTypeInfo<>), typeof(HealthCheckContext), typeof(TimeProvider), typeof(IProgress<>), typeof(ILogger<>), typeof(ILoggerFactory),
        typeof(Action<>), typeof(Func<,>),
    ];

    private NpgsqlDataSource single = null!;
    private ValidArguments valid = null!;
    private int serverProcess;

    /// <summary>All calls share one connection, so that a call that breaks or keeps it shows.</summary>
    [OneTimeSetUp]
    public async Task OpenConnectionAsync()
    {
        single = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1, Timeout = 5 });
        valid = new ValidArguments(single, DataSource);
        await valid.InsertAsync();
        (serverProcess, _) = await ReadStateAsync();
    }

    [OneTimeTearDown]
    public async Task CloseConnectionAsync() => await single.DisposeAsync();

    public static IEnumerable<TestCaseData> Inputs() => ApiInputs.All.Select(input => new TestCaseData(input).SetArgDisplayNames(input.Name));

    [Test]
    [TestCaseSource(nameof(Inputs))]
    public async Task A_malformed_value_causes_the_error_of_the_table_or_is_stored_as_it_is(object row)
    {
        var input = (ApiInput)row;
        foreach (var (value, error) in input.Cases)
        {
            await valid.PrepareAsync();
            var (_, before) = await ReadStateAsync();
            IReadOnlyList<object?> stored = [];
            Exception? thrown = null;
            try
            {
                stored = await input.UseAsync(valid, value).WaitAsync(Wait.Longest);
            }
            catch (Exception exception)
            {
                thrown = exception;
            }

            var (process, after) = await ReadStateAsync();
            Assert.That(process, Is.EqualTo(serverProcess), () => $"{input} of {Shown(value)} broke the connection");
            Assert.That(Matches(error, thrown), Is.True, () => $"{input} of {Shown(value)}: expected {error}, but was {thrown}");
            if (thrown is not null)
            {
                Assert.That(after, Is.EqualTo(before), () => $"{input} of {Shown(value)} was refused, and rows were stored");
            }

            foreach (var read in value is null ? [] : stored)
            {
                Assert.That(await AreEqualAsync(read, Kept(value)), Is.True, () => $"{input} of {Shown(value)} came back as {Shown(read)}");
            }
        }
    }

    [Test]
    public void The_table_knows_each_public_input()
    {
        var known = ApiInputs.All.CountBy(input => input.Name).ToDictionary();
        var unknown = PublicInputs().CountBy(input => input).Where(input => known.GetValueOrDefault(input.Key) < input.Value);

        Assert.That(unknown.Select(input => input.Key), Is.Empty);
    }

    [Test]
    public void The_table_has_no_input_that_is_gone() =>
        Assert.That(ApiInputs.All.Select(input => input.Name).Except(PublicInputs()), Is.Empty);

    [Test]
    public void Options_keep_the_values_that_they_are_given() => Assert.Multiple(() =>
    {
        var minute = TimeSpan.FromMinutes(1);
        Assert.That(new RetryOptions { Limit = minute }.Limit, Is.EqualTo(minute));
        Assert.That(new JsonbOptions { MaxDepth = 7, MaxBytes = 8 }, Has.Property("MaxDepth").EqualTo(7).And.Property("MaxBytes").EqualTo(8));
        Assert.That(
            new SchemaMigratorOptions { LockTimeout = minute, ScriptTimeout = Timeout.InfiniteTimeSpan },
            Has.Property("LockTimeout").EqualTo(minute).And.Property("ScriptTimeout").EqualTo(Timeout.InfiniteTimeSpan));
        Assert.That(
            new RetentionDurations { Standard = minute, Short = 2 * minute, Long = 3 * minute },
            Has.Property("Standard").EqualTo(minute).And.Property("Short").EqualTo(2 * minute).And.Property("Long").EqualTo(3 * minute));
        Assert.That(
            new CrawlEventFollowOptions { PollInterval = minute, PageSize = 7 },
            Has.Property("PollInterval").EqualTo(minute).And.Property("PageSize").EqualTo(7));
        var writer = new CrawlEventWriterOptions { BatchSize = 1, BatchBytes = 2, Linger = minute, Capacity = 3, CapacityBytes = 4 };
        Assert.That(
            (writer.BatchSize, writer.BatchBytes, writer.Linger, writer.Capacity, writer.CapacityBytes), Is.EqualTo((1, 2, minute, 3, 4)));
        Assert.That(
            new CrawlEventWriterOptions { RetryLimit = 2 * minute, SpoolDirectory = "a" },
            Has.Property("RetryLimit").EqualTo(2 * minute).And.Property("SpoolDirectory").EqualTo("a"));
    });

    /// <summary>The parameters of public methods and constructors, and the properties that can be set of the types that they take.</summary>
    private static List<string> PublicInputs()
    {
        var types = typeof(CrawlRunRepository).Assembly.GetExportedTypes()
            .Where(type => !type.IsSubclassOf(typeof(Exception)) && !type.IsSubclassOf(typeof(Delegate)))
            .Where(type => !type.IsSubclassOf(typeof(JsonConverter))).ToList();
        var parameters = types.Where(type => !type.IsInterface)
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
                .Where(IsWritten)
                .Concat<MethodBase>(type.GetConstructors()))
            .SelectMany(method => method.GetParameters()).Where(parameter => !parameter.IsOut).ToList();
        var taken = new HashSet<Type>();
        parameters.ForEach(parameter => AddTaken(parameter.ParameterType, taken));

        // The caller implements an interface: the library takes what its methods return.
        types.Where(type => type.IsInterface).SelectMany(type => type.GetMethods()).ToList().ForEach(method => AddTaken(method.ReturnType, taken));
        var properties = types.Where(type => taken.Contains(type) && type.IsClass)
            .SelectMany(type => type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(property => property.SetMethod is { IsPublic: true } && MayBeMalformed(property.PropertyType, isNullable: false));
        return
        [
            .. parameters.Where(one => MayBeMalformed(one.ParameterType, one is { HasDefaultValue: true, DefaultValue: null })).Select(NameOf),
            .. properties.Select(property => $"{property.DeclaringType!.Name}.{property.Name}"),
        ];
    }

    private static string NameOf(ParameterInfo parameter) =>
        $"{parameter.Member.DeclaringType!.Name}.{(parameter.Member is ConstructorInfo ? "new" : parameter.Member.Name)}({parameter.Name})";

    // The compiler writes others for records and properties.
    private static bool IsWritten(MethodInfo method) =>
        !method.IsSpecialName && method.Name is not ("Equals" or "GetHashCode" or "ToString" or "Deconstruct" or "<Clone>$");

    // An object of the library that may be null has no malformed value: its properties have.
    private static bool MayBeMalformed(Type type, bool isNullable) =>
        !Harmless.Contains(Nullable.GetUnderlyingType(type) ?? (type.IsGenericType ? type.GetGenericTypeDefinition() : type))
        && !(isNullable && type.IsClass && type.Assembly == typeof(Jsonb).Assembly);

    private static void AddTaken(Type type, HashSet<Type> taken)
    {
        // The library gives progress to the caller.
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IProgress<>))
        {
            return;
        }

        // The library makes a claim, and the caller only passes it on.
        if (type == typeof(CrawlRunClaim))
        {
            return;
        }

        foreach (var argument in type.GenericTypeArguments)
        {
            AddTaken(argument, taken);
        }

        if (type.Assembly == typeof(CrawlRunRepository).Assembly && taken.Add(type))
        {
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            {
                AddTaken(property.PropertyType, taken);
            }
        }
    }

    private static bool Matches(ExpectedError? error, Exception? thrown) => thrown is null ? error is null : error?.Matches(thrown) == true;

    /// <summary>A value as it is documented to be kept.</summary>
    private static object? Kept(object? value) =>
        value is DateTimeOffset time ? time.ToUniversalTime().AddTicks(-(time.UtcTicks % TimeSpan.TicksPerMicrosecond)) : value;

    private async Task<bool> AreEqualAsync(object? one, object? other) => (one, other) switch
    {
        (Jsonb mine, Jsonb others) => await valid.AreEqualAsync(mine, others),
        (IEnumerable mine and not string, IEnumerable others and not string) => mine.Cast<object?>().SequenceEqual(others.Cast<object?>()),
        _ => Equals(one, other),
    };

    private async Task<(int Process, long Rows)> ReadStateAsync()
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
