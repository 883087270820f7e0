using Dapper;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Stops a role's statements with <c>for update</c> or <c>for no key update</c> on a table between their snapshot and their first lock. It relies on a
/// row security policy, whose function waits for an advisory lock of the test.</summary>
internal sealed class LockingStatementGate : IAsyncDisposable
{
    private readonly NpgsqlDataSource owner;
    private readonly NpgsqlConnection holder;
    private readonly string role;
    private readonly string table;

    private LockingStatementGate(NpgsqlDataSource owner, NpgsqlConnection holder, string role, string table, NpgsqlDataSource dataSource) =>
        (this.owner, this.holder, this.role, this.table, DataSource) = (owner, holder, role, table, dataSource);

    /// <summary>Gets the role's data source. Its statements pass the gate.</summary>
    public NpgsqlDataSource DataSource { get; }

    /// <summary>Creates a closed gate.</summary>
    /// <param name="owner">The data source of the tables' owner. Its statements do not pass the gate.</param>
    /// <param name="connectionString">The database.</param>
    /// <param name="table">The table whose locking statements stop.</param>
    /// <param name="isolation">The role's <c>default_transaction_isolation</c>.</param>
    public static async Task<LockingStatementGate> CloseAsync(NpgsqlDataSource owner, string connectionString, string table, string isolation)
    {
        var role = $"crawldata_test_{Guid.NewGuid():N}";
        var holder = await owner.OpenConnectionAsync();
        await holder.ExecuteAsync(
            $"""
            create role {role} login password 'of a test';
            alter role {role} set default_transaction_isolation = '{isolation}';
            grant all on all tables in schema public to {role};
            grant all on all sequences in schema public to {role};
            create or replace function pass_gate() returns boolean language plpgsql as $$
            begin
                if current_query() ~ 'for (no key )?update' then
                    perform pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
                end if;
                return true;
            end $$;
            alter table {table} enable row level security;
            create policy gate on {table} to {role} using (pass_gate());
            select pg_advisory_lock(1);
            """);
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Username = role, Password = "of a test" };
        return new LockingStatementGate(owner, holder, role, table, NpgsqlDataSource.Create(settings));
    }

    /// <summary>Waits until a statement has stopped at the gate.</summary>
    public Task UntilReachedAsync() => Wait.UntilBlockedByAsync(owner, holder);

    /// <summary>Lets the statement and all later ones pass.</summary>
    public Task OpenAsync() => holder.ExecuteAsync("select pg_advisory_unlock(1)");

    public async ValueTask DisposeAsync()
    {
        await holder.ExecuteAsync("select pg_advisory_unlock_all()");
        await DataSource.DisposeAsync();
        await holder.ExecuteAsync(
            $"""
            drop policy gate on {table};
            alter table {table} disable row level security;
            drop owned by {role};
            drop role {role};
            """);
        await holder.DisposeAsync();
    }
}
