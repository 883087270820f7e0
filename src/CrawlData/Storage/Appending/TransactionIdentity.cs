using System.Data.Common;

namespace CrawlData;

/// <summary>A transaction, told from all others of any life of its server.</summary>
/// <param name="Id">Its id: <c>pg_current_xact_id()</c>.</param>
/// <param name="Start">When it began: <c>now()</c>.</param>
internal readonly record struct TransactionIdentity(ulong Id, DateTime Start)
{
    /// <summary>Reads one from two columns.</summary>
    public static TransactionIdentity Read(DbDataReader row, int ordinal) => new(row.GetFieldValue<ulong>(ordinal), row.GetDateTime(ordinal + 1));
}
