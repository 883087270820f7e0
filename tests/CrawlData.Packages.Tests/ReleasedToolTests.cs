using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;

namespace CrawlData.Packages.Tests;

/// <summary>The tool as a release has it, packed for this platform alone.</summary>
public sealed class ReleasedToolTests
{
    [Test]
    public async Task A_release_s_tool_is_compiled_for_its_platform_and_installs()
    {
        var (feed, platform) = (Path.Combine(Packed.Consumers, "release"), RuntimeInformation.RuntimeIdentifier);
        var (exitCode, output) = await Packed.TryPackAsync(
            Packed.Sources, feed, "src/CrawlData.Cli", "-p:ReadyToRun=true", $"-p:RuntimeIdentifiers={platform}", "-p:RecordPackageBaseline=false");
        Assert.That(exitCode, Is.Zero, output);
        await File.WriteAllTextAsync(Path.Combine(feed, "nuget.config"), $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{Path.Combine(feed, "cache")}" /></config>
              <packageSources><clear /><add key="release" value="{feed}" /></packageSources>
              <packageSourceMapping><clear /></packageSourceMapping>
            </configuration>
            """);

        var folder = Path.Combine(feed, "tools");
        await Command.RunAsync(feed, Command.DotNet, "tool", "install", "CrawlData.Cli", "--version", Packed.Version, "--tool-path", folder);

        Assert.That(await Command.RunAsync(feed, Path.Combine(folder, "crawldata"), "--version"), Does.StartWith(Packed.Version));
        foreach (var name in new[] { "CrawlData.Cli.dll", "CrawlData.dll", "Npgsql.dll", "System.CommandLine.dll" })
        {
            using var assembly = new PEReader(File.OpenRead(Directory.EnumerateFiles(folder, name, SearchOption.AllDirectories).Single()));
            Assert.That(assembly.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size, Is.Positive, name);
        }

        Assert.That(new FileInfo(Path.Combine(feed, $"CrawlData.Cli.{platform}.{Packed.Version}.nupkg")).Length, Is.LessThan(30 << 20));
    }
}
