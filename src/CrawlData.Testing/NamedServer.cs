using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace CrawlData.Testing;

/// <summary>A server that somebody else runs, and that other processes use as well. This process holds an advisory lock on a random key for its lifetime, and
/// the key is part of its databases' names: databases whose key can be locked have lost their process, and are dropped. An advisory lock belongs to one
/// database, so the names also say which one.</summary>
internal static class NamedServer
{
    private const string DefaultDatabase = "postgres";

    /// <exception cref="ThrowawayServerException">The connection string is none, nobody answers there, or the role may not create databases.</exception>
    public static async Task<StartedServer> StartAsync(string connectionString, CancellationToken cancellationToken)
    {
        NpgsqlConnectionStringBuilder settings;
        try
        {
            settings = new(connectionString);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException)
        {
            // Neither the text nor the cause goes along: what could not be read may be a part of the password.
            throw new ThrowawayServerException($"{ServerSearch.ConnectionVariable} is not a connection string that Npgsql can read.");
        }
        settings.Database ??= DefaultDatabase;

        // Kept alive, because losing the connection loses the lock.
        var owner = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Pooling = false, KeepAlive = 30 }.ConnectionString);
        try
        {
            await owner.OpenAsync(cancellationToken).ConfigureAwait(false);
            var prefix = await ClaimNamesAsync(owner, cancellationToken).ConfigureAwait(false);
            return new(
                settings.ConnectionString,
                $"the server at {settings.Host}:{settings.Port}, named by {ServerSearch.ConnectionVariable}",
                prefix,
                () => StopAsync(owner, prefix));
        }
        catch (Exception exception)
        {
            await owner.DisposeAsync().ConfigureAwait(false);
            if (exception is NpgsqlException)
            {
                throw new ThrowawayServerException($"{ServerSearch.ConnectionVariable} names a server that cannot be used: {exception.Message}", exception);
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
                $"{ServerSearch.ConnectionVariable} names the role {role}, which may not create databases: ALTER ROLE … CREATEDB.");
        }

        var group = await ScalarAsync<string>(
            owner,
            $"select '{StartedServer.OwnDatabasePrefix}' || oid || '_' from pg_database where datname = current_database()",
            null,
            cancellationToken).ConfigureAwait(false);
        var key = RandomNumberGenerator.GetHexString(16, lowercase: true);
        // The lock comes before the first database of its name, so there is no moment in which another process may take that for a leftover.
        if (!await TryLockAsync(owner, key, cancellationToken).ConfigureAwait(false))
        {
            throw new InvalidOperationException($"Another process holds the random key {key}.");
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
                    // Somebody is still connected, so it is left alone: a later process will find it again.
                }
            }
            await ScalarAsync<bool>(owner, "select pg_advisory_unlock($1)", LockKey(process.Key), cancellationToken).ConfigureAwait(false);
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
            "select coalesce(array_agg(datname::text), '{}') from pg_database where datname ~ $1 and pg_get_userbyid(datdba) = current_user",
            pattern,
            cancellationToken).ConfigureAwait(false);

    private static Task<bool> TryLockAsync(NpgsqlConnection owner, string key, CancellationToken cancellationToken) =>
        ScalarAsync<bool>(owner, "select pg_try_advisory_lock($1)", LockKey(key), cancellationToken);

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
