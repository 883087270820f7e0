using CrawlData.Testing;

namespace CrawlData.Tests.Testing;

[Platform(Exclude = "Win", Reason = "the programs here are scripts for sh")]
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class PostgresBinariesTests
{
    private const string Version = "echo 'postgres (PostgreSQL) 99.1'";
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(0.2);

    [Test]
    public async Task The_newest_programs_on_the_path_are_found_through_links()
    {
        using var programs = new ProgramFolder("", "", $"touch $OUT/ran; {Version}");
        var link = Path.Combine(programs.Parent, "link");
        Directory.CreateSymbolicLink(link, programs.Path);

        var (newest, skipped) = await FindAsync(link);

        Assert.That(Directory.GetFiles(programs.Output), Is.Not.Empty);
        Assert.That(newest, Is.EqualTo(new PostgresBinaries(programs.Path, 99, 1)));
        Assert.That(skipped.Where(path => path.StartsWith(programs.Parent, StringComparison.Ordinal)), Is.Empty);
    }

    [TestCase("bin/postgres", UnixFileMode.OtherWrite)]
    [TestCase("bin/initdb", UnixFileMode.OtherWrite)]
    [TestCase("bin", UnixFileMode.OtherWrite)]
    [TestCase("", UnixFileMode.OtherWrite)]
    public async Task No_program_runs_that_another_user_can_change(string path, UnixFileMode added)
    {
        using var programs = new ProgramFolder("", "", $"touch $OUT/ran; {Version}");
        var changeable = Path.Combine(programs.Parent, path).TrimEnd('/');
        File.SetUnixFileMode(changeable, ProgramFolder.Executable | added);

        var (newest, skipped) = await FindAsync(programs.Path);

        Assert.That(newest?.Folder, Is.Not.EqualTo(programs.Path));
        Assert.That(skipped, Does.Contain(changeable));
        Assert.That(Directory.GetFiles(programs.Output), Is.Empty);
    }

    [Test]
    public async Task A_server_that_does_not_print_its_version_counts_as_missing()
    {
        using var programs = new ProgramFolder("", "", $"sleep 30; {Version}");

        Assert.That(await PostgresBinaries.InAsync(programs.Path, Short, CancellationToken.None), Is.Null);
    }

    private static Task<(PostgresBinaries? Newest, IReadOnlyList<string> Skipped)> FindAsync(string folder) =>
        PostgresBinaries.FindAsync(name => name == "PATH" ? folder : null, CancellationToken.None);
}
