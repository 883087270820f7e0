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
/// <param name="HidesWarnings">Whether its session's <c>client_min_messages</c> hides the warnings of a COMMIT.</param>
/// <param name="IsOnCitus">Whether its database has Citus, so that the rows may be on other nodes.</param>
/// <param name="IsFlushed">Whether all WAL up to then is on the disk of the server, and with it the sequence that gave the ids. It is asked on Citus
/// alone.</param>
internal readonly record struct TransactionIdentity(
    ulong Id,
    Instant Start,
    Instant ServerStart,
    NpgsqlLogSequenceNumber WalPosition,
    int BackendId,
    bool HidesWarnings,
    bool IsOnCitus = false,
    bool IsFlushed = true)
{
    /// <summary>A statement that returns the identity, after the statement that writes the first row. It names no table: a statement with a table may run on
    /// another node of Citus, in another transaction. A comment with the table's name follows it, by which <see cref="LostBackends"/> finds its
    /// backend.</summary>
    public const string Query =
        $"""
        select pg_catalog.pg_current_xact_id(), pg_catalog.now(), pg_catalog.pg_postmaster_start_time(), pg_catalog.pg_current_wal_insert_lsn(),
               pg_catalog.pg_backend_pid(), pg_catalog.current_setting('client_min_messages') in ('error', 'fatal', 'panic'), {Citus.IsInstalled},
               case when {Citus.IsInstalled}
                   then pg_catalog.pg_current_wal_insert_lsn() operator(pg_catalog.<=) pg_catalog.pg_current_wal_flush_lsn()
                   else true
               end
        """;

    /// <summary>Reads an identity from <see cref="Query"/>.</summary>
    public static TransactionIdentity Read(DbDataReader row) => new(
        row.GetFieldValue<ulong>(0),
        row.GetInstant(1),
        row.GetInstant(2),
        row.GetFieldValue<NpgsqlLogSequenceNumber>(3),
        row.GetInt32(4),
        row.GetBoolean(5),
        row.GetBoolean(6),
        row.GetBoolean(7));
}
