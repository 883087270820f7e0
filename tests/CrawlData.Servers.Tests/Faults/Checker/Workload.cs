using System.Collections.Concurrent;
using CrawlData.Crawls;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>What the clients of a history share.</summary>
/// <param name="history">Records their operations.</param>
/// <param name="counter">Counts faults.</param>
/// <param name="proxy">Injects faults into their connections.</param>
/// <param name="connectionString">Of the server and the database.</param>
/// <param name="witness">Reaches the server without the proxy.</param>
/// <param name="seed">The seed of their choices.</param>
internal sealed class Workload(History history, FaultCounter counter, FaultProxy proxy, string connectionString, NpgsqlDataSource witness, int seed)
    : IAsyncDisposable
{
    /// <summary>The clients' event type that a trigger stamps with a time of its own.</summary>
    public const string Stamped = "stamped";

    /// <summary>The clients' event type that a trigger refuses.</summary>
    public const string Refused = "refused";

    /// <summary>The name of the clients' sessions, without the followers'.</summary>
    public const string Name = "checker";

    /// <summary>The role that row security applies to, and its password.</summary>
    public const string SecuredRole = "secured";

    private const string IdleLimit = "-c idle_in_transaction_session_timeout=1500";

    // It bounds the memory of a history.
    private const int MostRows = 15_000;

    // It is longer than any fault lasts, also where several checkers share two cores.
    private static readonly RetryOptions Patient = new() { Limit = TimeSpan.FromMinutes(3) };

    private int rows;

    public History History => history;

    public NpgsqlDataSource Witness => witness;

    public FaultCounter Counter => counter;

    public int Seed => seed;

    /// <summary>The data source of most clients.</summary>
    public NpgsqlDataSource DataSource { get; } = CreateDataSource(proxy, connectionString, IdleLimit);

    /// <summary>A data source of a role with settings of its own.</summary>
    public NpgsqlDataSource WithRoleSettings { get; } =
        CreateDataSource(proxy, connectionString, $"{IdleLimit} -c statement_timeout=500 -c lock_timeout=300 -c client_min_messages=error");

    /// <summary>A data source of a role that row security applies to.</summary>
    public NpgsqlDataSource WithRowSecurity { get; } = CreateDataSource(proxy, connectionString, IdleLimit, role: SecuredRole);

    /// <summary>The data source of the followers.</summary>
    public NpgsqlDataSource OfFollowers { get; } = CreateDataSource(proxy, connectionString, IdleLimit, "followers");

    /// <summary>The crawls that do not end while clients append to them. Many clients share the first ones.</summary>
    public IReadOnlyList<Guid> Crawls { get; set; } = [];

    /// <summary>Sessions that have ended, each with a page.</summary>
    public ConcurrentQueue<(Guid Session, Guid Page)> EndedSessions { get; } = [];

    /// <summary>Runs that have ended.</summary>
    public ConcurrentQueue<Guid> EndedRuns { get; } = [];

    /// <summary>Whether clients may add another row.</summary>
    public bool HasRoom => Volatile.Read(ref rows) < MostRows;

    public void Added(int count) => Interlocked.Add(ref rows, count);

    /// <summary>Makes a logger that throws, for one of two clients.</summary>
    public ILogger<T>? Logger<T>(int client) => client % 2 == 0 ? new CallbackLogger<T>(counter) : null;

    /// <summary>Makes a repository that retries for longer than any fault lasts.</summary>
    public CrawlEventRepository Events(int client, NpgsqlDataSource? dataSource = null) =>
        new(dataSource ?? DataSource, retry: Patient, notify: true, logger: Logger<CrawlEventRepository>(client));

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await WithRoleSettings.DisposeAsync();
        await WithRowSecurity.DisposeAsync();
        await OfFollowers.DisposeAsync();
    }

    private static NpgsqlDataSource CreateDataSource(FaultProxy proxy, string connectionString, string options, string name = Name, string? role = null) =>
        proxy.CreateDataSource(connectionString, settings =>
        {
            (settings.Options, settings.ApplicationName, settings.MaxPoolSize) = (options, name, 20);
            (settings.Timeout, settings.CommandTimeout, settings.CancellationTimeout) = (2, 2, -1);
            (settings.Username, settings.Password) = role is null ? (settings.Username, settings.Password) : (role, role);
        });
}
