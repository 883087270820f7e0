using CrawlData.Testing;

namespace CrawlData.Tests;

/// <summary>Plain PostgreSQL that looks to the library as if it had Citus. So its statements and branches for Citus are tested without a cluster. Which of them
/// Citus takes, the tests on a cluster tell.</summary>
public static class PretendedCitus
{
    private const string Extension =
        """
        set allow_system_table_mods = on;
        create table pg_catalog.pg_dist_partition ();
        create function pg_catalog.run_command_on_all_nodes(
            command text, parallel boolean default true, give_warning_for_connection_errors boolean default false,
            out nodeid integer, out success boolean, out result text) returns setof record language plpgsql as
            'begin nodeid := 1; success := true; execute command into result; return next; end';
        create function pg_catalog.run_command_on_coordinator(
            command text, give_warning_for_connection_errors boolean default false,
            out nodeid integer, out success boolean, out result text) returns setof record language plpgsql as
            'begin
                nodeid := 0;
                success := true;
                execute command into result;
                if position(''pg_logical_emit_message(true'' in command) > 0 then perform set_config(''pretended.has_flushed'', ''true'', true); end if;
                return next;
            end';
        create function pg_catalog.get_shard_id_for_distribution_column(table_name regclass, distribution_value anyelement) returns bigint language sql as
            'select 102008 + (hashtext(distribution_value::text) & 3)';
        reset allow_system_table_mods
        """;

    // What CrawlDistributor does to the keys.
    private const string ByCrawl =
        """
        alter table crawl_events drop constraint crawl_events_pkey, add primary key (crawl_id, id);
        alter table crawl_run_retries drop constraint crawl_run_retries_run_id_fkey;
        create index idx_crawl_events_id on crawl_events (id)
        """;

    /// <summary>Makes a migrated database.</summary>
    /// <param name="byCrawl">Whether the crawls look distributed by crawl.</param>
    public static async Task<ThrowawayDatabase> StartAsync(bool byCrawl = false)
    {
        var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        await using var command = database.DataSource.CreateCommand(byCrawl ? $"{Extension}; {ByCrawl}" : Extension);
        await command.ExecuteNonQueryAsync();
        return database;
    }
}
