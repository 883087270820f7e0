using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Diagnostics;

/// <summary>A check of a database.</summary>
/// <param name="Name">Its name, which its findings have.</param>
/// <param name="FindAsync">Finds what is wrong, in a read-only transaction on the primary or a standby.</param>
internal sealed record DatabaseCheck(string Name, Func<DatabaseCheck, NpgsqlTransaction, CancellationToken, Task<List<DatabaseFinding>>> FindAsync)
{
    /// <summary>Makes a check of one statement, which returns the subject, its value and the remedy of each finding.</summary>
    public static DatabaseCheck Of(
        string name, string sql, Func<string, string, string> effect, FindingSeverity severity = FindingSeverity.Error) =>
        new(name, (check, transaction, cancellationToken) => transaction.Connection!.QueryAsync(
            sql,
            null,
            row => check.Find(row.GetString(0), row.GetString(1), row.GetString(2), effect(row.GetString(0), row.GetString(1)), severity),
            transaction,
            cancellationToken));

    /// <summary>Makes a finding of this check.</summary>
    public DatabaseFinding Find(string subject, string value, string remedy, string effect, FindingSeverity severity = FindingSeverity.Error) =>
        new() { Check = Name, Severity = severity, Subject = subject, Value = value, Effect = effect, Remedy = remedy };
}
