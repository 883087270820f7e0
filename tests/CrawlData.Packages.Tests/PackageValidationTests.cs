using System.IO.Compression;

namespace CrawlData.Packages.Tests;

public sealed class PackageValidationTests
{
    private string sources = null!;

    [OneTimeSetUp]
    public async Task PackAnewAsync()
    {
        sources = await Packed.CloneSourcesAsync();
        await PackAsync("anew");
    }

    [TestCase("nupkg", "CrawlData.dll")]
    [TestCase("snupkg", "CrawlData.pdb")]
    public void Two_packs_of_a_commit_are_the_same_to_the_byte_wherever_they_are_made(string extension, string name)
    {
        using var one = Packed.Open("CrawlData", extension);
        using var other = ZipFile.OpenRead(Path.Combine(sources, "anew", $"CrawlData.{Packed.Version}.{extension}"));

        Assert.That(Packed.Read(one, $"lib/net10.0/{name}").AsSpan().SequenceEqual(Packed.Read(other, $"lib/net10.0/{name}")));
    }

    [Test]
    public async Task What_has_been_packed_once_stays_in_the_API_until_the_next_minor_version()
    {
        var added = Path.Combine(sources, "src", "CrawlData", "Added.cs");
        await File.WriteAllTextAsync(added, "namespace CrawlData;\n\npublic static class Added { }\n");
        await PackAsync("extended", "-p:NoWarn=CS1591%3BRS0016");
        File.Delete(added);

        var (exitCode, output) = await TryPackAsync("reduced");
        Assert.That(exitCode, Is.Not.Zero);
        Assert.That(output, Does.Contain("error CP0001: Type 'CrawlData.Added'"));

        await PackAsync("next", "-p:Version=99.0.0");
    }

    private async Task PackAsync(string folder, params string[] arguments)
    {
        var (exitCode, output) = await TryPackAsync(folder, arguments);
        Assert.That(exitCode, Is.Zero, output);
    }

    private Task<(int ExitCode, string Output)> TryPackAsync(string folder, params string[] arguments) =>
        Packed.TryPackAsync(sources, folder, ["src/CrawlData", .. arguments]);
}
