using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace CrawlData.Testing;

/// <summary>Uses a server that an environment variable names. Other processes may use it too.</summary>
/// <remarks>
/// <para>This process holds an advisory lock on a random key until it ends. The names of its databases contain the key. When another process can take the lock
/// of a key, the key's process has ended: the other process drops its databases.</para>
/// <para>An advisory lock belongs to one database. So the names also contain the oid of the database in which the lock is held.</para>
/// </remarks>
internal static class NamedServer
{
    private const string DefaultDatabase = "postgres";

    /// <summary>Connects to the server, takes the lock, and drops the databases that ended processes left.</summary>
    /// <exception cref="ThrowawayServerException">The connection string is malformed, the server does not answer, or the role may not create
    /// databases.</exception>
    public static async Task<StartedServer> StartAsync(string connectionString, CancellationToken cancellationToken)
    {
        NpgsqlConnectionStringBuilder settings;
        try
        {
            settings = new(connectionString);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException)
        {
            // Without the text and the cause, because the malformed part may be a part of the password.
            throw new ThrowawayServerException($"{ServerSearch.ConnectionVariable} is not a valid connection string for Npgsql.");
        }
        settings.Database ??= DefaultDatabase;

        // Keep-alives protect the connection. When it is lost, the lock is lost too.
        var owner = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Pooling = false, KeepAlive = 30 }.ConnectionString);
        try
        {
            await owner.OpenAsync(cancellationToken).ConfigureAwait(false);
            var prefix = await ClaimNamesAsync(owner, cancellationToken).ConfigureAwait(false);
            return new(
                settings.ConnectionString,
                $"the server at {settings.Host}:{settings.Port}, from {ServerSearch.ConnectionVariable}",
                prefix,
                () => StopAsync(owner, prefix));
        }
        catch (Exception exception)
        {
            await owner.DisposeAsync().ConfigureAwait(false);
            if (exception is NpgsqlException)
            {
                throw new ThrowawayServerException($"{ServerSearch.ConnectionVariable}: the server cannot be used: {exception.Message}", exception);
            }

            throw;
        }
    }

    private static async Task<string> ClaimNamesAsync(NpgsqlConnection owner, CancellationToken cancellationToken)
    {
        var role = await ScalarAsync<string?>(
            owner,
            "select rolname::text from pg_roles where rolname = current_user and not (rolcreatedb or rolsuper)",
            null,
            cancellationToken).ConfigureAwait(false);
        if (role is not null)
        {
            throw new ThrowawayServerException(
                $"{ServerSearch.ConnectionVariable}: the role {role} may not create databases. Run ALTER ROLE … CREATEDB.");
        }

        var group = await ScalarAsync<string>(
            owner,
            $"select '{StartedServer.OwnDatabasePrefix}' || oid::text || '_' from pg_database where datname = pg_catalog.current_database()",
            null,
            cancellationToken).ConfigureAwait(false);
        var key = RandomNumberGenerator.GetHexString(16, lowercase: true);
        // The lock is taken before the first database is made. So another process never takes a database of this process for a leftover.
        if (!await TryLockAsync(owner, key, cancellationToken).ConfigureAwait(false))
        {
            throw new InvalidOperationException($"Another process has locked the random key {key}.");
        }

        await DropLeftoversAsync(owner, group, cancellationToken).ConfigureAwait(false);
        return $"{group}{key}_";
    }

    private static async Task DropLeftoversAsync(NpgsqlConnection owner, string group, CancellationToken cancellationToken)
    {
        var names = await DatabasesAsync(owner, $"^{group}[0-9a-f]{{16}}_", cancellationToken).ConfigureAwait(false);
        foreach (var process in names.GroupBy(name => name.Substring(group.Length, 16)))
        {
            if (!await TryLockAsync(owner, process.Key, cancellationToken).ConfigureAwait(false))
            {
                continue;
            }

            foreach (var name in process)
            {
                try
                {
                    await ExecuteAsync(owner, $"drop database if exists {name}", cancellationToken).ConfigureAwait(false);
                }
                catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.ObjectInUse)
                {
                    // A client is still connected. A later process will drop the database.
                }
            }
            await ScalarAsync<bool>(owner, "select pg_catalog.pg_advisory_unlock($1)", LockKey(process.Key), cancellationToken).ConfigureAwait(false);
        }
    }

    private static async ValueTask StopAsync(NpgsqlConnection owner, string prefix)
    {
        await using (owner.ConfigureAwait(false))
        {
            foreach (var name in await DatabasesAsync(owner, $"^{prefix}", CancellationToken.None).ConfigureAwait(false))
            {
                await ExecuteAsync(owner, $"drop database if exists {name} with (force)", CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private static async Task<string[]> DatabasesAsync(NpgsqlConnection owner, string pattern, CancellationToken cancellationToken) =>
        await ScalarAsync<string[]>(
            owner,
            "select coalesce(pg_catalog.array_agg(datname::text), '{}') from pg_database "
                + "where datname ~ $1 and pg_catalog.pg_get_userbyid(datdba) = current_user",
            pattern,
            cancellationToken).ConfigureAwait(false);

    private static Task<bool> TryLockAsync(NpgsqlConnection owner, string key, CancellationToken cancellationToken) =>
        ScalarAsync<bool>(owner, "select pg_catalog.pg_try_advisory_lock($1)", LockKey(key), cancellationToken);

    private static long LockKey(string key) => long.Parse(key, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static async Task<T> ScalarAsync<T>(NpgsqlConnection owner, string sql, object? parameter, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, owner);
        await using (command.ConfigureAwait(false))
        {
            if (parameter is not null)
            {
                command.Parameters.Add(new() { Value = parameter });
            }

            return (T)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection owner, string sql, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, owner);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
