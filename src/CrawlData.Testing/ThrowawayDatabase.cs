using CrawlData.Schema;
using Npgsql;

namespace CrawlData.Testing;

/// <summary>A PostgreSQL database for a test: made in about a tenth of a second, of its own, dropped when disposed.</summary>
/// <remarks>
/// <para>The databases of a process share one server, had with the first call in the first of these ways that is open: the server that
/// <c>CRAWLDATA_TEST_CONNECTION</c> names, a connection string of a role with CREATEDB; a container of the image that <c>CRAWLDATA_POSTGRES_IMAGE</c> names;
/// the server binaries in the folder that <c>CRAWLDATA_POSTGRES_BIN</c> names; a container of <c>postgres:18-alpine</c>, when a container engine answers; the
/// newest server binaries, of PostgreSQL 15 or later, on the <c>PATH</c> or where Debian, Red Hat, Homebrew and the Windows installer put them. A variable
/// that is set and not empty is an order: what it names is used, or the call fails. Which way was taken is written once a process, to <see
/// cref="ThrowawayDatabaseOptions.Logger"/> or else to standard error.</para>
/// <para>A server of our own listens on the loopback address only (a container: where the engine publishes ports), with a random password, with <c>fsync</c>
/// off and 200 connections; it ends with the process. When the process is killed, a watchdog process ends a server from binaries within a second or so and
/// removes its data, and Testcontainers' Ryuk ends a container within some ten seconds: with <c>TESTCONTAINERS_RYUK_DISABLED=true</c> the container of a
/// killed process stays. On a named server the databases that a killed process leaves are dropped by the next process that starts there with the same role
/// and maintenance database; this rests on a session advisory lock, so the connection has to be a direct one, or through a pooler in session mode.</para>
/// <para>Every database has the encoding UTF8 and the locale C. All members may be used by several threads at once.</para>
/// </remarks>
public sealed class ThrowawayDatabase : IAsyncDisposable
{
    private readonly ThrowawayServer server;
    private int disposed;

    private ThrowawayDatabase(ThrowawayServer server, string connectionString)
    {
        this.server = server;
        ConnectionString = connectionString;
        DataSource = NpgsqlDataSource.Create(connectionString);
    }

    /// <summary>To this database, password included: for tools and child processes.</summary>
    public string ConnectionString { get; }

    /// <summary>Of this database alone, with Npgsql's defaults; disposed with it.</summary>
    public NpgsqlDataSource DataSource { get; }

    /// <summary>In one line, without a password: which server this is on, and how it was had.</summary>
    public string Server => server.Description;

    /// <summary>Makes a database, and has a server first when this process has none yet. That first call takes one to three seconds with server binaries, and
    /// as long as the image's download takes with a container. Calls at once are served at once, and a call after a failed one tries again.</summary>
    /// <param name="options">A migrated database and no logger when left out.</param>
    /// <param name="cancellationToken">Stops waiting. A server half started is ended again; a database half made goes with the server, or on a named server
    /// when the process exits.</param>
    /// <returns>The database, to be disposed by the caller.</returns>
    /// <exception cref="ThrowawayServerException">No server can be had, or not the one that an environment variable orders.</exception>
    /// <exception cref="NpgsqlException">The server is there, and the database cannot be made or reached.</exception>
    /// <exception cref="MigrationException">The database cannot be migrated.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> is cancelled.</exception>
    public static async Task<ThrowawayDatabase> StartAsync(ThrowawayDatabaseOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new();
        var server = await ThrowawayServer.SharedAsync(options.Logger, cancellationToken).ConfigureAwait(false);
        return new(server, await server.CreateDatabaseAsync(options.Migrate, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Disposes <see cref="DataSource"/> and drops the database, ending the connections that others still have to it. The server stays for the
    /// process. A second call does nothing.</summary>
    /// <exception cref="NpgsqlException">The database cannot be dropped, as when the server is gone.</exception>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await DataSource.DisposeAsync().ConfigureAwait(false);
        await server.DropDatabaseAsync(ConnectionString, CancellationToken.None).ConfigureAwait(false);
    }
}
