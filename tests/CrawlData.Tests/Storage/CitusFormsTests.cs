using System.Text.RegularExpressions;

namespace CrawlData.Tests;

/// <summary>Keeps the statements to forms that Citus takes where all tables are in a schema of its own. It looks at the text alone, because these tests have no
/// Citus.</summary>
public static partial class CitusFormsTests
{
    /// <summary>What a node of Citus answers for itself, though the coordinator is meant.</summary>
    private static readonly string[] OfTheServer = ["pg_current_xact_id", "pg_current_wal_insert_lsn", "pg_backend_pid", "pg_notify"];

    /// <summary>Such a statement runs on the node that has the table. It returns the identity of another transaction, and notifies nobody.</summary>
    [Test]
    public static void The_server_s_own_functions_stand_in_statements_without_a_table() => AssertNone(
        sql => sql.Split(';').Where(one => OfTheServer.Any(name => one.Contains($"{name}(", StringComparison.Ordinal))),
        @"\b(from|into|update|join) (crawl_|audit_|artifacts)");

    /// <summary>0A000: functions used in UPDATE queries on distributed tables must not be VOLATILE.</summary>
    [Test]
    public static void No_change_has_a_volatile_function() => AssertNone(Changes, @"\b(clock_timestamp|random|nextval)\(");

    /// <summary>0A000: STABLE functions used in UPDATE queries cannot be called with column references. A cast of an enum to text is one.</summary>
    [Test]
    public static void No_change_casts_the_columns_of_its_condition() => AssertNone(Changes, @"\bwhere\b[^;]*\b\w+::text\b");

    /// <summary>0A000: non-IMMUTABLE functions are not allowed in the RETURNING clause. A cast of an enum to text is one.</summary>
    [Test]
    public static void No_change_returns_more_than_columns() => AssertNone(Changes, @"\breturning\b[^;]*(::|\(|\bcase\b)");

    /// <summary>42P18: could not determine data type of parameter $1.</summary>
    [Test]
    public static void No_insert_returns_a_parameter() => AssertNone(sql => Parts(sql, "insert into "), @"\breturning\b[^;]*[@$]");

    /// <summary>42601: syntax error at or near "NOT". The server's own query for the node is wrong.</summary>
    [Test]
    public static void No_insert_counts_other_rows_in_its_condition() =>
        AssertNone(sql => [sql], @"\bwhere \(select pg_catalog\.count\(\*\) from (crawl_runs|audit_sessions)\b");

    /// <summary>0A000: correlated subqueries are not supported when the FROM clause contains a set returning function.</summary>
    [Test]
    public static void No_array_is_compared_with_the_runs_row_by_row() =>
        AssertNone(sql => [sql], @"unnest\([^)]*\) as \w+ \([^)]*\)\s+where not exists \(select from crawl_runs\b");

    /// <summary>0A000: could not run distributed query with FOR UPDATE/SHARE commands. The row of a claim is found by its value, and by no
    /// subquery.</summary>
    [Test]
    public static void No_claim_is_found_by_a_subquery() => AssertNone(sql => [sql], @"crawl_run_claims where run_id = \(select");

    /// <summary>0A000: complex joins are only supported when all distributed tables are co-located. Citus takes no comparison of two columns for a
    /// join.</summary>
    [Test]
    public static void No_statement_for_crawls_on_nodes_of_their_own_compares_an_event_by_two_columns() =>
        AssertNone(ByCrawl, @"\(crawl_id, id\) [<>]");

    /// <summary>0A000: could not run distributed query with FOR UPDATE/SHARE commands. Each lock is of one run, so its statement gets one id.</summary>
    [Test]
    public static void No_statement_for_crawls_on_nodes_of_their_own_locks_what_it_looks_for() =>
        AssertNone(sql => ByCrawl(sql).Where(one => !Regex.IsMatch(one, @"id = (@id\b|any \(@ids\))")), @"\bfor (no key update|update|share)\b");

    /// <summary>22P02: invalid input syntax for type uuid: "PGCOPY".</summary>
    [Test]
    public static void No_lock_for_an_insert_joins_an_array() =>
        AssertNone(sql => [sql], @"\bfor (no key update|key share|share|update) of \w+");

    // The rules find what they forbid.
    [TestCase("with a as (update t set x = pg_catalog.clock_timestamp() where id = @id returning t.*) select x from a", @"clock_timestamp\(")]
    [TestCase("update t set x = 1 where status::text in ('a')", @"\bwhere\b[^;]*\b\w+::text\b")]
    [TestCase("update t set x = 1 where id = @id returning id, status::text", @"\breturning\b[^;]*(::|\(|\bcase\b)")]
    [TestCase("delete from t where id = (select id from t where status::text = 'a') and status::text = 'b'", @"\bwhere\b[^;]*\b\w+::text\b")]
    public static void A_forbidden_form_is_found(string sql, string pattern) => Assert.That(Changes(sql), Has.Some.Match(pattern));

    [TestCase("with a as (update t set x = (select status::text from s) returning t.*) select status::text from a", @"::")]
    [TestCase("with a as (select pg_catalog.clock_timestamp() as time) update t set x = a.time from a", @"clock_timestamp\(")]
    public static void A_form_that_Citus_takes_is_not_found(string sql, string pattern) => Assert.That(Changes(sql), Has.None.Match(pattern));

    private static void AssertNone(Func<string, IEnumerable<string>> parts, string pattern) => Assert.That(
        SqlConstants.Statements.Where(statement => parts(statement.Sql).Any(part => Regex.IsMatch(part, pattern))).Select(statement => statement.Name),
        Is.Empty);

    private static IEnumerable<string> ByCrawl(string sql) =>
        SqlConstants.Statements.Where(one => one.Sql == sql && one.Name.EndsWith("ByCrawlSql", StringComparison.Ordinal)).Select(one => one.Sql);

    private static IEnumerable<string> Changes(string sql) => [.. Parts(sql, "update "), .. Parts(sql, "delete from ")];

    /// <summary>The parts of a statement that begin with a word, to the end of their CTE, without the subqueries in them.</summary>
    private static IEnumerable<string> Parts(string sql, string begin)
    {
        var text = SqlConstants.WithoutLiterals(sql);
        foreach (Match match in Regex.Matches(text, $@"(?<=^|\(|\n)\s*{begin}\w"))
        {
            var (depth, end) = (0, match.Index);
            for (; end < text.Length && depth >= 0 && text[end] != ';'; end++)
            {
                depth += text[end] switch { '(' => 1, ')' => -1, _ => 0 };
            }

            yield return SubqueryPattern().Replace(text[match.Index..end], "()");
        }
    }

    [GeneratedRegex(@"\(\s*(array\()?select\b(?>[^()]+|\((?<open>)|\)(?<-open>))*(?(open)(?!))\)")]
    private static partial Regex SubqueryPattern();
}
