using System.Diagnostics;
using System.Globalization;
using CrawlData.Testing;
using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Testing;

[Platform(Exclude = "Win", Reason = "the programs here are scripts for sh")]
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class LocalServerTests
{
    private const string Secret = "hunter2";

    [Test]
    public async Task A_server_gets_no_variable_of_this_process_but_those_that_it_needs()
    {
        const string Name = "CRAWLDATA_LOCAL_SERVER_SECRET";
        Environment.SetEnvironmentVariable(Name, Secret);
        try
        {
            var server = await LocalServer.StartAsync(await RestartableServer.FindBinariesAsync(), CancellationToken.None);
            try
            {
                await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Pooling = false });
                await using var connection = await dataSource.OpenConnectionAsync();
                await using var command = new NpgsqlCommand(
                    "create temp table variables (line text); copy variables from program 'env'; select array_agg(line) from variables", connection);
                var variables = (string[])(await command.ExecuteScalarAsync())!;
                Assert.That(variables, Has.Some.StartsWith("PATH=").And.None.StartsWith(Name).And.None.StartsWith("HOME="));
            }
            finally
            {
                await server.StopAsync();
            }
        }
        finally
        {
            Environment.SetEnvironmentVariable(Name, null);
        }
    }

    /// <summary>Goes red where the process writes the server's files itself.</summary>
    [Test]
    public async Task No_file_of_root_is_changed_through_a_link_in_the_server_s_folder()
    {
        RequireRoot();
        var real = await RestartableServer.FindBinariesAsync();
        using var programs = Programs(real, $"'{real.FileOf("initdb")}' \"$@\" && ln -sf $OUT/../root \"$2/postgresql.conf\"");
        var file = WriteFileOfRoot(programs);

        Assert.That(async () => await LocalServer.StartAsync(programs.Binaries, CancellationToken.None), Throws.TypeOf<ThrowawayServerException>());
        Assert.That(await File.ReadAllTextAsync(file), Is.EqualTo(Secret));
    }

    /// <summary>Goes red where the process reads the server's logs itself.</summary>
    [Test]
    public async Task No_file_of_root_is_read_through_a_link_in_the_server_s_folder()
    {
        RequireRoot();
        var real = await RestartableServer.FindBinariesAsync();
        using var programs = Programs(real, "echo the reason; ln -s $OUT/../root \"${2%/*}/server.log\"; exit 1");
        WriteFileOfRoot(programs);

        Assert.That(
            async () => await LocalServer.StartAsync(programs.Binaries, CancellationToken.None),
            Throws.TypeOf<ThrowawayServerException>().With.Message.Contains("the reason").And.Message.Not.Contains(Secret));
    }

    [Test]
    public async Task A_step_that_hangs_fails_the_start_and_leaves_neither_folder_nor_process()
    {
        var real = await RestartableServer.FindBinariesAsync();
        using var programs = Programs(real, "echo $$ ${2%/*} >$OUT/started; sleep 30");

        Assert.That(
            async () => await LocalServer.StartAsync(programs.Binaries, TimeSpan.FromSeconds(5), CancellationToken.None),
            Throws.TypeOf<ThrowawayServerException>().With.Message.StartsWith("initdb has not ended within 5 s"));

        await AssertNothingIsLeftAsync(programs);
    }

    [Test]
    public async Task A_start_that_is_cancelled_while_a_step_hangs_leaves_neither_folder_nor_process()
    {
        var real = await RestartableServer.FindBinariesAsync();
        using var programs = Programs(real, "echo $$ ${2%/*} >$OUT/.started; mv $OUT/.started $OUT/started; sleep 30; touch $OUT/ended");
        using var cancellation = new CancellationTokenSource();

        var start = LocalServer.StartAsync(programs.Binaries, TimeSpan.FromSeconds(10), cancellation.Token);
        await Wait.UntilAsync(() => Task.FromResult(File.Exists(Path.Combine(programs.Output, "started"))), "initdb hangs");
        await cancellation.CancelAsync();

        Assert.That(async () => await start, Throws.InstanceOf<OperationCanceledException>());
        await AssertNothingIsLeftAsync(programs);
    }

    [TestCase("chown", "postgres", "bin")]
    [TestCase("chown", "postgres", "bin/pg_ctl")]
    [TestCase("chown", "postgres", "")]
    [TestCase("chgrp", "postgres", "bin/pg_ctl")]
    public async Task No_program_is_found_that_another_user_owns_or_a_group_can_write(string command, string name, string path)
    {
        RequireRoot();
        using var programs = Programs(new("/nonexistent", 0, 0), "");
        var changeable = Path.Combine(programs.Parent, path).TrimEnd('/');
        File.SetUnixFileMode(changeable, ProgramFolder.Executable | UnixFileMode.GroupWrite);
        using var process = Process.Start(command, [name, changeable]);
        await process.WaitForExitAsync();

        var (_, skipped) = await PostgresBinaries.FindAsync(variable => variable == "PATH" ? programs.Path : null, CancellationToken.None);

        Assert.That(skipped, Does.Contain(changeable));
    }

    /// <summary>Asserts that the process and the folder are gone that a script of <c>initdb</c> named.</summary>
    private static async Task AssertNothingIsLeftAsync(ProgramFolder programs)
    {
        var started = (await File.ReadAllTextAsync(Path.Combine(programs.Output, "started"))).Split();
        Assert.That(Directory.Exists(started[1]), Is.False);
        Assert.That(File.Exists(Path.Combine(programs.Output, "ended")), Is.False);
        await Wait.UntilAsync(() => Task.FromResult(!KilledProcessTests.IsRunning(int.Parse(started[0], CultureInfo.InvariantCulture))), "initdb is gone");
    }

    private static void RequireRoot()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("Only root has files that the server's user cannot read.");
        }
    }

    private static ProgramFolder Programs(PostgresBinaries real, string initdb) =>
        new(initdb, $"exec '{real.FileOf("pg_ctl")}' \"$@\"", $"exec '{real.FileOf("postgres")}' \"$@\"");

    private static string WriteFileOfRoot(ProgramFolder programs)
    {
        var file = Path.Combine(programs.Parent, "root");
        File.WriteAllText(file, Secret);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }
}
