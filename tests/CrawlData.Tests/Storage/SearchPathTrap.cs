using System.Text.RegularExpressions;
using Dapper;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>A schema behind the application's on the search path, where others may create objects. It has an operator or a function for all types of arguments
/// for which pg_catalog's of that name need a conversion. PostgreSQL prefers those of the trap, because their types match exactly.</summary>
internal static partial class SearchPathTrap
{
    // A polymorphic argument is no exact match either. Beside another one it takes the same type of elements.
    private const string CreateSql =
        """
        set local check_function_bodies = off;
        create schema trap;
        create function trap.try(sql text) returns text language plpgsql as
            'begin if sql is not null then execute sql; end if; return null; exception when others then return sqlerrm; end';
        create temp table arguments on commit drop as
        select declared.oid as declared, declared.typtype = 'p' as is_polymorphic, actual.oid as actual,
               case actual.typcategory when 'A' then actual.typelem else actual.oid end as element
        from pg_type as declared
        join pg_type as actual on
            actual.oid = declared.oid
            or exists (select from pg_cast where castcontext = 'i' and castsource = actual.oid and casttarget = declared.oid)
            or declared.typname in ('any', 'anyelement', 'anycompatible')
            or declared.typname in ('anynonarray', 'anycompatiblenonarray') and actual.typcategory <> 'A'
            or declared.typname in ('anyarray', 'anycompatiblearray') and actual.typcategory = 'A'
            or declared.typname = 'anyenum' and actual.typtype = 'e'
        where ltrim(actual.typname, '_') in (
                  'bool', 'char', 'float4', 'float8', 'int2', 'int4', 'int8', 'interval', 'jsonb', 'name', 'numeric', 'oid', 'pg_lsn', 'regclass',
                  'regnamespace', 'regtype', 'text', 'timestamp', 'timestamptz', 'uuid', 'varchar', 'xid', 'xid8')
           or ltrim(actual.typname, '_') in (select typname from pg_type where typtype = 'e');
        do $do$
        declare
            call record;
        begin
            for call in
                with recursive named as (
                    select 'operator' as kind, oprname as name, array[oprleft, oprright] as declared, oprresult as result
                    from pg_operator
                    where oprnamespace = 'pg_catalog'::regnamespace and oprkind = 'b' and oprname = any ('{<operators>}')
                    union all
                    select 'function', proname, proargtypes::oid[], prorettype
                    from pg_proc
                    where pronamespace = 'pg_catalog'::regnamespace and pronargs > 0 and proname = any ('{<functions>}')
                ), calls as (
                    select kind, name, declared, result, '{}'::oid[] as actual, null::oid as element from named
                    union all
                    select kind, name, calls.declared, result, calls.actual || arguments.actual,
                           case when is_polymorphic then arguments.element else calls.element end
                    from calls
                    join arguments on arguments.declared = calls.declared[cardinality(calls.actual) + 1]
                    where not is_polymorphic or arguments.element = coalesce(calls.element, arguments.element)
                )
                select distinct on (kind, name, actual) kind, name,
                       array(select format_type(type, null) from unnest(actual) with ordinality as types (type, position) order by position) as types,
                       case (select typtype from pg_type where oid = result) when 'p' then actual[1] else result end::regtype as result
                from calls
                where cardinality(actual) = cardinality(declared)
                  and not exists (select from named where named.kind = calls.kind and named.name = calls.name and named.declared = calls.actual)
                order by kind, name, actual
            loop
                execute format(
                    'create function trap.%I(%s) returns %s language plpgsql as ''begin raise exception ''''trapped''''; end''',
                    call.name, array_to_string(call.types, ', '), call.result);
                if call.kind = 'operator' then
                    execute format(
                        'create operator trap.%s (leftarg = %s, rightarg = %s, function = trap.%I)', call.name, call.types[1], call.types[2], call.name);
                end if;
            end loop;
        end
        $do$;
        set local search_path to public, trap;
        """;

    private const string FindSql =
        """
        set local search_path to public;
        select proname || ': ' || pg_describe_object(refclassid, refobjid, 0)
        from pg_depend
        join pg_proc on classid = 'pg_proc'::regclass and objid = pg_proc.oid
        where refclassid = 'pg_operator'::regclass and refobjid in (select oid from pg_operator where oprnamespace = 'trap'::regnamespace)
           or refclassid = 'pg_proc'::regclass and refobjid in (select oid from pg_proc where pronamespace = 'trap'::regnamespace)
        """;

    /// <summary>Finds the statements that use an operator or a function of the trap, or that cannot be parsed beside them. The server records what the body of
    /// an SQL function uses. The transaction is rolled back.</summary>
    public static async Task<IReadOnlyList<string>> FindTrappedAsync(NpgsqlConnection connection)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        var all = string.Concat(SqlConstants.Statements.Select(statement => SqlConstants.WithoutLiterals(statement.Sql)));
        var operators = OperatorPattern().Matches(all).Select(match => match.Value).Distinct();
        var functions = CallPattern().Matches(all).Select(match => match.Groups[1].Value).Distinct();
        await connection.ExecuteAsync(CreateSql.Replace("<operators>", string.Join(',', operators)).Replace("<functions>", string.Join(',', functions)));
        var errors = new List<string>();
        foreach (var (name, sql) in SqlConstants.Statements)
        {
            var function = SqlConstants.ToFunction($"trap.\"{name}\"", sql);
            var error = await connection.QuerySingleAsync<string?>("select trap.try(@function)", new { function });
            errors.AddRange(error is null ? [] : [$"{name}: {error}"]);
        }

        return [.. errors, .. await connection.QueryAsync<string>(FindSql)];
    }

    // "::" and "@" beside a name are no operators.
    [GeneratedRegex("[-+*/<>=~!#%^&|`?]+")]
    private static partial Regex OperatorPattern();

    [GeneratedRegex("(\\w+) *\\(")]
    private static partial Regex CallPattern();
}
