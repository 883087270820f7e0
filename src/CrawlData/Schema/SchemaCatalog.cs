using Npgsql;

namespace CrawlData.Schema;

/// <summary>What a schema holds, from PostgreSQL's catalog, in one line each: the type with its labels, the column with type, nullability and default, the
/// constraint, the index. Names are without schema, so that the same objects in two schemas read the same.</summary>
internal sealed class SchemaCatalog(IEnumerable<(string Object, string Definition)> lines)
{
    // The deparsing functions leave out the names of schemas that are on the search path, so each schema is read with itself in front.
    internal const string ReadSql =
        """
        with relations as (
            select oid, relname, relkind from pg_class where relnamespace = quote_ident(current_schema())::regnamespace
        )
        select 'type ' || typname as object,
               'type ' || typname || ' enum ('
                   || (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = pg_type.oid) || ')' as definition
        from pg_type
        where typnamespace = quote_ident(current_schema())::regnamespace and typtype = 'e'
        union all
        select 'table ' || relname, 'table ' || relname from relations where relkind in ('r', 'p')
        union all
        select 'table ' || relname,
               'column ' || relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)
                   || case when attnotnull then ' not null' else '' end
                   || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
        from relations
        join pg_attribute on attrelid = relations.oid and attnum > 0 and not attisdropped
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where relkind in ('r', 'p')
        union all
        select 'table ' || relname, 'constraint ' || relname || ' ' || pg_get_constraintdef(pg_constraint.oid, true)
        from relations
        join pg_constraint on conrelid = relations.oid and contype <> 'n'
        union all
        select 'table ' || relations.relname, 'index ' || pg_get_indexdef(indexrelid, 0, true)
        from relations
        join pg_index on indrelid = relations.oid and not indisprimary
        where relations.relkind in ('r', 'p')
        union all
        select 'sequence ' || relname, 'sequence ' || relname || ' increment ' || seqincrement || ' cache ' || seqcache
        from relations
        join pg_sequence on seqrelid = relations.oid
        """;

    private readonly HashSet<(string Object, string Definition)> lines = [.. lines];

    /// <summary>Reads the first schema of the connection's search path.</summary>
    public static async Task<SchemaCatalog> ReadAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var command = Database.Command(ReadSql, null, transaction, cancellationToken);
        return new SchemaCatalog(await connection.ReadListAsync(command, row => (row.GetString(0), row.GetString(1))).ConfigureAwait(false));
    }

    /// <summary>What is here and was not there.</summary>
    public SchemaCatalog Since(SchemaCatalog earlier) => new(lines.Except(earlier.lines));

    /// <summary>Whether any of these lines is here, or any of these types and tables, however defined.</summary>
    public bool HasAnyOf(SchemaCatalog made)
    {
        var created = made.lines.Where(line => line.Object == line.Definition.Split(" enum ")[0]).Select(line => line.Object).ToHashSet();
        return lines.Any(line => made.lines.Contains(line) || created.Contains(line.Object));
    }

    /// <summary>How this differs from what is expected, in words: what is missing, and what the expected types and tables have that they should not, save
    /// further indexes.</summary>
    public IReadOnlyList<string> DifferencesFrom(SchemaCatalog expected)
    {
        var objects = expected.lines.Select(line => line.Object).ToHashSet();
        return
        [
            .. expected.lines.Except(lines).Select(line => $"missing: {line.Definition}").Order(StringComparer.Ordinal),
            .. lines.Except(expected.lines)
                .Where(line => objects.Contains(line.Object) && !line.Definition.StartsWith("index CREATE INDEX", StringComparison.Ordinal))
                .Select(line => $"not expected: {line.Definition}").Order(StringComparer.Ordinal),
        ];
    }
}
