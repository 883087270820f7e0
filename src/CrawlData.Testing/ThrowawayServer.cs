using System.Globalization;
using CrawlData.Schema;
using Npgsql;

namespace CrawlData.Testing;

/// <summary>The one server of this process, and the template that its databases are cloned from.</summary>
internal sealed class ThrowawayServer : IAsyncDisposable
{
    // More would not help, because CREATE and DROP DATABASE mostly wait for one another in the server.
    private const int ConcurrentCommands = 4;
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(15);
    private static readonly SemaphoreSlim StartGate = new(1, 1);
    private static ThrowawayServer? shared;

    private readonly StartedServer server;
    private readonly NpgsqlDataSource maintenance;
    private readonly SemaphoreSlim commands = new(ConcurrentCommands, ConcurrentCommands);
    private readonly SemaphoreSlim templateGate = new(1, 1);
    private string? template;
    private int databases;

    private ThrowawayServer(StartedServer server)
    {
        this.server = server;
        maintenance = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(server.ConnectionString) { MaxPoolSize = ConcurrentCommands, CommandTimeout = 120 });
    }

    /// <summary>The server's version and where it comes from, in one line without a password.</summary>
    public string Description { get; private set; } = "";

    /// <summary>Gets the server of this process. The first call starts it. After a failure, the next call starts it.</summary>
    public static async Task<ThrowawayServer> SharedAsync(ThrowawayDatabaseOptions options, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref shared) is { } started)
        {
            return started;
        }

        await StartGate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return shared ??= await StartAsync(options, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            StartGate.Release();
        }
    }

    /// <summary>Makes a database.</summary>
    /// <param name="migrate">Whether the database has CrawlData's schema.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The connection string of the database.</returns>
    public async Task<string> CreateDatabaseAsync(bool migrate, CancellationToken cancellationToken)
    {
        var template = migrate ? await TemplateAsync(cancellationToken).ConfigureAwait(false) : null;
        var name = $"{server.DatabasePrefix}{Interlocked.Increment(ref databases).ToString(CultureInfo.InvariantCulture)}";
        await CreateAsync(name, template, cancellationToken).ConfigureAwait(false);
        return ConnectionStringOf(name);
    }

    /// <summary>Drops a database, and ends its connections.</summary>
    public Task DropDatabaseAsync(string connectionString, CancellationToken cancellationToken) =>
        ExecuteAsync($"drop database if exists {new NpgsqlConnectionStringBuilder(connectionString).Database} with (force)", cancellationToken);

    /// <summary>Stops the server.</summary>
    public async ValueTask DisposeAsync()
    {
        await maintenance.DisposeAsync().ConfigureAwait(false);
        await server.StopAsync().ConfigureAwait(false);
        commands.Dispose();
        templateGate.Dispose();
    }

    private static async Task<ThrowawayServer> StartAsync(ThrowawayDatabaseOptions options, CancellationToken cancellationToken)
    {
        var started = await ServerSearch.StartAsync(Environment.GetEnvironmentVariable, options, cancellationToken).ConfigureAwait(false);
        var server = new ThrowawayServer(started);
        try
        {
            var connection = await server.maintenance.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                server.Description = $"PostgreSQL {connection.PostgreSqlVersion}, {started.Source}";
            }
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        AppDomain.CurrentDomain.ProcessExit += (_, _) => server.Stop();
        ServerLog.WriteServer(options.Logger, server.Description);
        return server;
    }

    private void Stop()
    {
        try
        {
            if (!DisposeAsync().AsTask().Wait(StopLimit))
            {
                throw new TimeoutException($"The server did not stop within {StopLimit.TotalSeconds} s.");
            }
        }
        catch (Exception exception) when (exception is TimeoutException or AggregateException)
        {
            // The process is exiting, so the error can only be written.
            Console.Error.WriteLine($"Throwaway databases: {Description} could not be stopped: {exception.GetBaseException().Message}");
        }
    }

    private async Task<string> TemplateAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref template) is { } made)
        {
            return made;
        }

        await templateGate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return template ??= await MakeTemplateAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            templateGate.Release();
        }
    }

    private async Task<string> MakeTemplateAsync(CancellationToken cancellationToken)
    {
        var name = $"{server.DatabasePrefix}template";
        await ExecuteAsync($"drop database if exists {name} with (force)", cancellationToken).ConfigureAwait(false);
        await CreateAsync(name, template: null, cancellationToken).ConfigureAwait(false);
        // A database with connections cannot be cloned, so no pool may keep one.
        var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ConnectionStringOf(name)) { Pooling = false });
        await using (source.ConfigureAwait(false))
        {
            await new SchemaMigrator(source).MigrateAsync(cancellationToken).ConfigureAwait(false);
        }

        return name;
    }

    // Only template0 allows another locale than the server's. So databases have the same locale on each server.
    private Task CreateAsync(string name, string? template, CancellationToken cancellationToken) =>
        ExecuteAsync(
            template is null
                ? $"create database {name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'"
                : $"create database {name} template {template}",
            cancellationToken);

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await commands.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var command = maintenance.CreateCommand(sql);
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            commands.Release();
        }
    }

    private string ConnectionStringOf(string database) =>
        new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = database }.ConnectionString;
}
