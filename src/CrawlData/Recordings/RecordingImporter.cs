using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>Imports recordings of crawls and audit sessions into the database.</summary>
/// <remarks>A recording is NDJSON: a line <c>{"table": name, "row": {column: value}}</c> for each row. A row follows the row that it belongs to.</remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <example>
/// <code>
/// await using var recording = File.OpenRead("crawl.ndjson");
/// var result = await new RecordingImporter(dataSource).ImportAsync(recording, new RecordingImportOptions { NewIds = true });
/// Console.WriteLine($"{result.Total.Events} events of {result.CrawlIds.Count} crawls");
/// </code>
/// </example>
public sealed class RecordingImporter(NpgsqlDataSource dataSource)
{
    internal const string NowSql = "select pg_catalog.now()";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly RecordingTables tables = new(dataSource);

    /// <summary>Imports a recording in one transaction: all rows or none. The recording may have any length.</summary>
    /// <remarks>
    /// <para>Events and log lines keep their order, and get new ids. Empty lines are skipped.</para>
    /// <para>A recording may come from anywhere. So work in it is refused, and a retention time that has passed is not stored, unless the options say
    /// otherwise.</para>
    /// </remarks>
    /// <param name="recording">NDJSON in UTF-8. It is read to its end, and left open. The longest line is 64 MiB.</param>
    /// <param name="options">Whether rows get new ids, text is repaired, and work and expired artifacts are allowed; the defaults when null.</param>
    /// <param name="progress">Receives the total after each batch, of about 1,000 rows or 4 MiB; may be null. An exception of it ends the import, and nothing
    /// is stored.</param>
    /// <param name="cancellationToken">Cancels the import. Nothing is stored.</param>
    /// <returns>The ids of the runs and sessions, and the numbers of rows.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="recording"/> is null.</exception>
    /// <exception cref="RecordingException">A line is malformed, or names another table. Or a value of its row is invalid, or the row's id exists already. Or
    /// no earlier line has the row that it belongs to. Or the recording has work, and <see cref="RecordingImportOptions.Enqueue"/> is false. Nothing is
    /// stored. <see cref="RecordingException.Errors"/> has up to <see cref="RecordingImportOptions.MaxErrors"/> such lines. Or the input is not UTF-8 text, or
    /// the stream threw <see cref="InvalidDataException"/>.</exception>
    /// <exception cref="NpgsqlException">The recording could not be stored. When the connection was lost during COMMIT, it may be stored.</exception>
    public Task<RecordingImportResult> ImportAsync(
        Stream recording, RecordingImportOptions? options = null, IProgress<RecordingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        options ??= new RecordingImportOptions();
        var lines = new NdjsonReader(recording, RecordingFormat.LargestLineBytes);
        return dataSource.InTransactionAsync(async (connection, transaction) =>
        {
            var now = await connection.QuerySingleAsync(
                NowSql, new Parameters(), row => row.GetInstant(0), transaction, cancellationToken).ConfigureAwait(false);
            return await new RecordingImport(tables, lines, now, transaction, options, progress).RunAsync(cancellationToken).ConfigureAwait(false);
        }, cancellationToken);
    }
}
