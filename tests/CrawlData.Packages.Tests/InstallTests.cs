using System.IO.Compression;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace CrawlData.Packages.Tests;

/// <summary>The README's installation, where another feed has packages of the same names and a higher version.</summary>
public sealed partial class InstallTests
{
    private static readonly string Root = Path.Combine(Path.GetDirectoryName(Packed.Feed)!, "install");
    private static readonly string Project = Path.Combine(Root, "my-crawler");
    private static readonly string Home = Path.Combine(Root, "home");
    private static readonly string PublicFeed = Path.Combine(Root, "feed");
    private static readonly Dictionary<string, string?> OfAnotherUser = new() { ["HOME"] = Home, ["DOTNET_CLI_HOME"] = Home };

    [OneTimeSetUp]
    public async Task InstallAsync()
    {
        var clone = Path.Combine(Root, "CrawlData");
        Array.ForEach([Path.Combine(clone, "packages"), Path.Combine(clone, "docs"), Home, PublicFeed], folder => Directory.CreateDirectory(folder));
        File.Copy(Path.Combine(Packed.Sources, "docs", "nuget.config"), Path.Combine(clone, "docs", "nuget.config"));
        foreach (var id in new[] { "CrawlData", "CrawlData.Testing", "CrawlData.Cli" })
        {
            var package = Path.Combine(clone, "packages", $"{id}.{Packed.Version}.nupkg");
            File.Copy(Path.Combine(Packed.Feed, Path.GetFileName(package)), package);
            Publish(id, package);
        }

        await File.WriteAllTextAsync(Path.Combine(Root, "nuget.config"), $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{Path.Combine(Root, "cache")}" /></config>
              <fallbackPackageFolders><add key="machine" value="{await Packed.FindCacheAsync()}" /></fallbackPackageFolders>
              <packageSources><clear /><add key="nuget.org" value="{PublicFeed}" /></packageSources>
            </configuration>
            """);
        var commands = InstallBlock().Match(await File.ReadAllTextAsync(Path.Combine(Packed.Sources, "README.md"))).Groups["commands"].Value;
        var version = XDocument.Load(Path.Combine(Packed.Sources, "src", "Directory.Build.props")).Descendants("VersionPrefix").Single().Value;
        Assert.That(Regex.Count(commands, $" --version {Regex.Escape(version)}\\b"), Is.EqualTo(2), commands);
        await Command.RunAsync(clone, OfAnotherUser, "bash", "-e", "-c", commands.Replace($" --version {version}", $" --version {Packed.Version}"));
    }

    [Test]
    public async Task The_tool_comes_from_the_clone() =>
        Assert.That(await RunAsync("tool", "list", "--global"), Does.Match($@"(?m)^crawldata\.cli +{Regex.Escape(Packed.Version)} "));

    /// <summary>Goes red without the mapping of packages to sources.</summary>
    [Test]
    public async Task A_higher_version_on_a_public_feed_does_not_win()
    {
        await RunAsync("add", "package", "CrawlData.Testing", "--version", "*-*");

        var assets = await File.ReadAllTextAsync(Path.Combine(Project, "obj", "project.assets.json"));
        Assert.That(assets, Does.Contain($"\"CrawlData/{Packed.Version}\"").And.Contain($"\"CrawlData.Testing/{Packed.Version}\"").And.Not.Contain("99.0.0"));
    }

    private static Task<string> RunAsync(params string[] arguments) => Command.RunAsync(Project, OfAnotherUser, Command.DotNet, arguments);

    /// <summary>Puts a package with a higher version on the public feed.</summary>
    private static void Publish(string id, string package)
    {
        var published = Path.Combine(PublicFeed, $"{id}.99.0.0.nupkg");
        File.Copy(package, published);
        using var archive = ZipFile.Open(published, ZipArchiveMode.Update);
        var entry = archive.GetEntry($"{id}.nuspec")!;
        using var stream = entry.Open();
        var metadata = XDocument.Load(stream);
        metadata.Descendants().Single(element => element.Name.LocalName == "version").Value = "99.0.0";
        stream.SetLength(0);
        metadata.Save(stream);
    }

    /// <summary>The commands after the first, which packs.</summary>
    [GeneratedRegex(@"## Install\n.*?```\ndotnet pack [^\n]*\n(?<commands>.*?)```", RegexOptions.Singleline)]
    private static partial Regex InstallBlock();
}
