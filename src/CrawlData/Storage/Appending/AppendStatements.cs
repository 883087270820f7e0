using Npgsql;

namespace CrawlData.Storage;

/// <summary>The statements, parameters and mapping with which rows are appended to a table with a bigserial key. Each row belongs to a parent. The statements
/// that append have positional parameters.</summary>
/// <typeparam name="T">A row, as the caller supplies it.</typeparam>
internal abstract class AppendStatements<T> where T : class
{
    /// <summary>The table.</summary>
    public abstract string Table { get; }

    /// <summary>The parents' table.</summary>
    public abstract string ParentTable { get; }

    /// <summary>The parameter of the public methods that takes rows, for the error of a null row.</summary>
    public abstract string RowsName { get; }

    /// <summary>Returns the identity of the transaction, in the same round trip as each statement that appends.</summary>
    public abstract string Identity { get; }

    /// <summary>Inserts one row under the parent's lock, and returns its id; no row when the parent is unknown. Null for a table that inserts one row as it
    /// inserts many.</summary>
    public virtual string? InsertOne => null;

    /// <summary>Does as <see cref="InsertOne"/>, in two statements: takes the lock of the parent <c>$1</c>, and returns it; and inserts the row, which fails
    /// when the parent is unknown.</summary>
    public virtual (string Lock, string Insert)? InsertOneInSteps => null;

    /// <summary>Do as <see cref="Reserve"/> and its variants, in several statements. Null for a table whose rows are reserved in one.</summary>
    public virtual ReservationSteps? ReserveInSteps => null;

    /// <summary>Takes the locks of the parents <c>$1</c>, inserts the rows, and returns an array of their ids, which rise. The array is null when a parent is
    /// unknown. <c>$2</c> has each row's parent, and is null when all rows have the same; the columns follow, and then the claims.</summary>
    public abstract string Insert { get; }

    /// <summary>Takes the locks of the parents <c>$1</c>, and returns an array of <c>$2</c> ids, and whether row security forbids COPY. The array is empty
    /// when a parent is unknown. The claims follow.</summary>
    public abstract string Reserve { get; }

    /// <summary>Does as <see cref="InsertOne"/>, and returns no row when another transaction has locked the parent. For tables that append what is
    /// available.</summary>
    public virtual string InsertOneAvailable => throw new NotSupportedException();

    /// <summary>Does as <see cref="Insert"/> for the rows of the parents that it can lock without waiting, and returns an array of these parents in its last
    /// column. For tables that append what is available.</summary>
    public virtual string InsertAvailable => throw new NotSupportedException();

    /// <summary>Does as <see cref="Reserve"/> for the parents that it can lock without waiting, of which each has a number of rows in <c>$2</c>, and
    /// returns an array of these parents in its last column. For tables that append what is available.</summary>
    public virtual string ReserveAvailable => throw new NotSupportedException();

    /// <summary>Does as <see cref="Insert"/> for rows with claims. It appends nothing when one of them is lost. The column <c>lost</c> has the positions of the
    /// lost claims, from 1. For tables whose parents are claimed, as are the three below.</summary>
    public virtual string InsertClaimed => throw new NotSupportedException();

    /// <summary>Does as <see cref="InsertAvailable"/> for rows with claims.</summary>
    public virtual string InsertAvailableClaimed => throw new NotSupportedException();

    /// <summary>Does as <see cref="Reserve"/> for rows with claims.</summary>
    public virtual string ReserveClaimed => throw new NotSupportedException();

    /// <summary>Does as <see cref="ReserveAvailable"/> for rows with claims.</summary>
    public virtual string ReserveAvailableClaimed => throw new NotSupportedException();

    /// <summary>Copies rows with reserved ids.</summary>
    public abstract string Copy { get; }

    /// <summary>Returns the ids in <c>@parent_ids</c> that do not exist.</summary>
    public abstract string UnknownParents { get; }

    /// <summary>Takes a lock of the parent <c>@parent_id</c> that waits for the transactions that append to it, and returns its id; no row when it is
    /// unknown.</summary>
    public abstract string LockParent { get; }

    /// <summary>Returns whether the row <c>@row_id</c> of <c>@parent_id</c> has the time <c>@transaction_start</c>; no row when there is no such row.</summary>
    public abstract string RowIsOfTransaction { get; }

    /// <summary>Estimates how many bytes a row takes on the wire.</summary>
    public abstract int BytesOf(T row);

    /// <summary>Gets the time that the caller gave a row; null for the transaction's time.</summary>
    public abstract Instant? TimeOf(T row);

    /// <summary>Adds the parameters of <see cref="InsertOne"/>, by their positions.</summary>
    public virtual void AddParameters(NpgsqlParameterCollection parameters, Guid parentId, T row) => throw new NotSupportedException();

    /// <summary>Adds the parameters that <see cref="Insert"/> takes after its first two.</summary>
    public abstract void AddColumns(NpgsqlParameterCollection parameters, IReadOnlyList<T> rows);

    /// <summary>The number of columns that <see cref="Copy"/> takes.</summary>
    public abstract short CopyColumns { get; }

    /// <summary>Writes the columns that <see cref="Copy"/> takes between the parent's id and the time.</summary>
    public abstract ValueTask WriteAsync(BinaryCopy copy, T row);
}
