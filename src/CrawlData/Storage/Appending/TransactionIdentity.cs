using System.Data.Common;

namespace CrawlData.Storage;

/// <summary>Identifies a transaction. The start is needed beside the id, because a restarted server may give the id of a lost transaction out again.</summary>
/// <param name="Id">Its id: <c>pg_current_xact_id()</c>.</param>
/// <param name="Start">Its start: <c>now()</c>.</param>
internal readonly record struct TransactionIdentity(ulong Id, DateTime Start)
{
    /// <summary>Reads an identity from two columns.</summary>
    public static TransactionIdentity Read(DbDataReader row, int ordinal) => new(row.GetFieldValue<ulong>(ordinal), row.GetDateTime(ordinal + 1));
}
