using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Testing;

public sealed class ServerSearchTests
{
    // No server listens on port 1, and no engine has such an image.
    private const string NoServer = "Host=127.0.0.1;Port=1;Username=nobody;Password=hunter2";
    private const string NoImage = "localhost/no-such-image:0";

    [Test]
    public void A_named_server_that_does_not_answer_is_an_error_naming_the_variable()
    {
        Assert.That(
            async () => await SearchAsync((ServerSearch.ConnectionVariable, NoServer)),
            Throws.TypeOf<ThrowawayServerException>().With.Message.StartsWith(ServerSearch.ConnectionVariable).And.Message.Not.Contains("hunter2"));
    }

    [TestCase("Host=db;Password=hunter2;hunter2")]
    [TestCase("Host=db;Port=hunter2")]
    [TestCase("hunter2")]
    public async Task A_connection_string_that_cannot_be_read_is_an_error_without_its_text(string connectionString)
    {
        var error = await Assert.ThrowsAsync<ThrowawayServerException>(async () => await SearchAsync((ServerSearch.ConnectionVariable, connectionString)));

        Assert.That(error?.ToString(), Does.Contain(ServerSearch.ConnectionVariable).And.Not.Contain("hunter2"));
    }

    [Test]
    public void An_unavailable_image_is_an_error_naming_the_variable()
    {
        Assert.That(
            async () => await SearchAsync((ServerSearch.ImageVariable, NoImage)),
            Throws.TypeOf<ThrowawayServerException>().With.Message.StartsWith($"{ServerSearch.ImageVariable} is {NoImage}"));
    }

    [Test]
    public void A_folder_without_a_server_is_an_error_naming_the_variable()
    {
        var folder = TestContext.CurrentContext.TestDirectory;

        Assert.That(
            async () => await SearchAsync((ServerSearch.BinariesVariable, folder)),
            Throws.TypeOf<ThrowawayServerException>().With.Message.StartsWith($"{ServerSearch.BinariesVariable} is {folder}"));
    }

    [Test]
    public void A_named_server_comes_before_an_image_and_an_image_before_binaries()
    {
        Assert.That(
            async () => await SearchAsync(
                (ServerSearch.BinariesVariable, "/"), (ServerSearch.ImageVariable, NoImage), (ServerSearch.ConnectionVariable, NoServer)),
            Throws.TypeOf<ThrowawayServerException>().With.Message.StartsWith(ServerSearch.ConnectionVariable));
        Assert.That(
            async () => await SearchAsync((ServerSearch.BinariesVariable, "/"), (ServerSearch.ImageVariable, NoImage)),
            Throws.TypeOf<ThrowawayServerException>().With.Message.StartsWith(ServerSearch.ImageVariable));
    }

    [Test]
    public void An_empty_variable_counts_as_unset()
    {
        Assert.That(
            async () => await SearchAsync((ServerSearch.ConnectionVariable, ""), (ServerSearch.ImageVariable, ""), (ServerSearch.BinariesVariable, "/")),
            Throws.TypeOf<ThrowawayServerException>().With.Message.StartsWith(ServerSearch.BinariesVariable));
    }

    [Test]
    public void Each_error_lists_the_ways_to_provide_a_server()
    {
        Assert.That(
            async () => await SearchAsync((ServerSearch.BinariesVariable, "/")),
            Throws.TypeOf<ThrowawayServerException>().With.Message.Contains(ServerSearch.ConnectionVariable)
                .And.Message.Contains(ServerSearch.ImageVariable).And.Message.Contains(ServerSearch.DefaultImage).And.Message.Contains("apt install"));
    }

    [Test]
    public async Task A_new_process_drops_the_databases_of_dead_processes_and_none_of_live_ones()
    {
        // The process's own server serves as the named one.
        await using var database = await ThrowawayDatabase.StartAsync(new() { Migrate = false });
        var living = await SearchAsync((ServerSearch.ConnectionVariable, database.ConnectionString));
        var group = living.DatabasePrefix[..^17];
        var ofTheLiving = $"{living.DatabasePrefix}1";
        var ofTheDead = $"{group}0123456789abcdef_1";
        var ofAnother = $"{group}kept";
        foreach (var name in new[] { ofTheLiving, ofTheDead, ofAnother })
        {
            await ExecuteAsync(database, $"CREATE DATABASE {name} TEMPLATE template0");
        }

        try
        {
            var next = await SearchAsync((ServerSearch.ConnectionVariable, database.ConnectionString));
            Assert.That(await OfGroupAsync(), Is.EquivalentTo([ofTheLiving, ofAnother]));

            await living.StopAsync();
            await next.StopAsync();
            Assert.That(await OfGroupAsync(), Is.EqualTo([ofAnother]));
        }
        finally
        {
            foreach (var name in new[] { ofTheLiving, ofTheDead, ofAnother })
            {
                await ExecuteAsync(database, $"DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            }
        }

        async Task<string[]> OfGroupAsync()
        {
            await using var command = database.DataSource.CreateCommand(
                "SELECT coalesce(array_agg(datname::text), '{}') FROM pg_database WHERE starts_with(datname, $1)");
            command.Parameters.Add(new() { Value = group });
            return (string[])(await command.ExecuteScalarAsync())!;
        }
    }

    [Test]
    public async Task A_role_that_may_not_create_databases_is_an_error_naming_it()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new() { Migrate = false });
        var role = $"no_createdb_{Environment.ProcessId}";
        await ExecuteAsync(database, $"CREATE ROLE {role} LOGIN PASSWORD 'hunter2'");
        try
        {
            var connectionString = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = role, Password = "hunter2" }.ConnectionString;
            Assert.That(
                async () => await SearchAsync((ServerSearch.ConnectionVariable, connectionString)),
                Throws.TypeOf<ThrowawayServerException>().With.Message.Contains(role).And.Message.Contains("CREATEDB"));
        }
        finally
        {
            await ExecuteAsync(database, $"DROP ROLE {role}");
        }
    }

    private static Task<StartedServer> SearchAsync(params (string Name, string Value)[] environment) =>
        ServerSearch.StartAsync(environment.ToDictionary(entry => entry.Name, entry => entry.Value).GetValueOrDefault, new(), CancellationToken.None);

    private static async Task ExecuteAsync(ThrowawayDatabase database, string sql)
    {
        await using var command = database.DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
