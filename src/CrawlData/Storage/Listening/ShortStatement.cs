using Npgsql;

namespace CrawlData.Storage;

/// <summary>Runs the statements of listeners and notifiers with a short time-out of their own. The data source's time-out may be long, or infinite.</summary>
internal static class ShortStatement
{
    internal const int TimeoutSeconds = 3;

    /// <summary>Runs a statement. The time-out is the command's: Npgsql 10 ignores a cancellation until a pooled connection's reset is answered.</summary>
    public static async Task ExecuteShortAsync(this NpgsqlConnection connection, string sql, Parameters parameters, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = TimeoutSeconds };
        await using (command.ConfigureAwait(false))
        {
            parameters.AddTo(command);
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
