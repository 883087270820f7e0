using System.Data.Common;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>Identifies a transaction, and holds what its verification needs. A server that crashed may give the id of a lost transaction out again, so the id
/// alone identifies it only until the server's next start.</summary>
/// <param name="Id">Its id: <c>pg_current_xact_id()</c>.</param>
/// <param name="Start">Its start: <c>now()</c>.</param>
/// <param name="ServerStart">The server's start: <c>pg_postmaster_start_time()</c>.</param>
/// <param name="WalPosition">A position in the WAL after its first record and before its COMMIT.</param>
/// <param name="BackendId">The process id of its backend on the server.</param>
/// <param name="HidesWarnings">Whether its session's <c>client_min_messages</c> hides the warning that a COMMIT was not confirmed by the standbys.</param>
internal readonly record struct TransactionIdentity(
    ulong Id, Instant Start, Instant ServerStart, NpgsqlLogSequenceNumber WalPosition, int BackendId, bool HidesWarnings)
{
    /// <summary>The columns that <see cref="Read"/> reads, for the statement that writes the first row.</summary>
    public const string Columns =
        "pg_catalog.pg_current_xact_id(), pg_catalog.now(), pg_catalog.pg_postmaster_start_time(), "
        + "pg_catalog.pg_current_wal_insert_lsn(), pg_catalog.pg_backend_pid(), "
        + "pg_catalog.current_setting('client_min_messages') in ('error', 'fatal', 'panic')";

    /// <summary>Reads an identity from <see cref="Columns"/>.</summary>
    public static TransactionIdentity Read(DbDataReader row, int ordinal) => new(
        row.GetFieldValue<ulong>(ordinal),
        row.GetInstant(ordinal + 1),
        row.GetInstant(ordinal + 2),
        row.GetFieldValue<NpgsqlLogSequenceNumber>(ordinal + 3),
        row.GetInt32(ordinal + 4),
        row.GetBoolean(ordinal + 5));
}
