using Npgsql;

namespace CrawlData.Schema;

/// <summary>Writes scripts as SQL for <c>psql</c>.</summary>
internal static class SchemaScriptWriter
{
    /// <summary>Writes scripts, each in a transaction of its own, together with its line in the journal.</summary>
    /// <param name="scripts">The scripts.</param>
    /// <param name="schema">The schema to make the tables in; the first of psql's search path when null.</param>
    /// <returns>The SQL; a comment when there is no script.</returns>
    public static string Write(IReadOnlyList<SchemaScript> scripts, string? schema) => scripts.Count == 0
        ? "-- No script is pending.\n"
        : "\\set ON_ERROR_STOP on\n" + string.Concat(scripts.Select((script, index) => Write(script, schema, createJournal: index == 0)));

    // A script's name and hash have no character that would need escaping.
    private static string Write(SchemaScript script, string? schema, bool createJournal) =>
        $"""

        -- {script.Name}
        begin;
        {MigrationLock.TransactionLockSql};
        {(schema is null ? "" : $"set local search_path to {Quote(schema)};\n")}{(createJournal ? $"{SchemaJournal.CreateSql};\n" : "")}{script.Sql.TrimEnd()}
        insert into crawldata_journal (script_name, script_hash) values ('{script.Name}', '{script.Hash}');
        commit;

        """;

    /// <summary>Quotes an identifier for SQL.</summary>
    public static string Quote(string identifier)
    {
        using var quotes = new NpgsqlCommandBuilder();
        return quotes.QuoteIdentifier(identifier);
    }
}
