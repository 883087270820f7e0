using System.Buffers.Binary;
using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace CrawlData.Packages.Tests;

public sealed class PackageContentTests
{
    private static readonly Guid SourceLink = new("CC110556-A091-4D38-9FEC-25AB9A351A6A");
    private static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

    [Test]
    public void A_package_has_readme_icon_licence_and_the_commit_that_it_was_made_of(
        [Values("CrawlData", "CrawlData.Dashboard", "CrawlData.Diagnostics", "CrawlData.Testing", "CrawlData.Cli")] string id)
    {
        using var package = Packed.Open(id);
        var metadata = Metadata(package, id);

        Assert.That(Value(metadata, "readme"), Is.EqualTo("README.md"));
        Assert.That(Value(metadata, "icon"), Is.EqualTo("icon.png"));
        Assert.That(SizeOfPng(Packed.Read(package, "icon.png")), Is.EqualTo((128, 128)));
        Assert.That(Element(metadata, "license").Attribute("type")!.Value, Is.EqualTo("expression"));
        Assert.That(Value(metadata, "license"), Is.EqualTo("MIT"));
        Assert.That(Value(metadata, "description"), Does.Contain("crawl").And.Contain("audit"));
        Assert.That(Value(metadata, "description"), Does.EndWith("It needs .NET 10 and PostgreSQL 15 or newer."));
        Assert.That(Element(metadata, "repository").Attribute("url")!.Value, Is.EqualTo(Packed.RepositoryUrl));
        Assert.That(Element(metadata, "repository").Attribute("commit")!.Value, Is.EqualTo(Packed.Commit));
    }

    [TestCase("CrawlData", "README.md")]
    [TestCase("CrawlData.Dashboard", "src/CrawlData.Dashboard/README.md")]
    [TestCase("CrawlData.Diagnostics", "src/CrawlData.Diagnostics/README.md")]
    [TestCase("CrawlData.Testing", "src/CrawlData.Testing/README.md")]
    [TestCase("CrawlData.Cli", "README.md")]
    public void A_package_s_readme_has_absolute_links_to_the_packed_commit(string id, string source)
    {
        using var package = Packed.Open(id);
        var readme = Encoding.UTF8.GetString(Packed.Read(package, "README.md"));
        string[] prefixes = [$"{Packed.RepositoryUrl}/blob/{Packed.Commit}/", $"https://raw.githubusercontent.com/example/crawldata/{Packed.Commit}/"];
        var targets = Regex.Matches(readme, @"\]\((?<target>[^)]+)\)").Select(link => link.Groups["target"].Value).ToList();

        Assert.That(targets, Is.Not.Empty.And.All.StartsWith("https://"));
        foreach (var target in targets.Where(target => target.Contains(Packed.Commit, StringComparison.Ordinal)))
        {
            var path = target[prefixes.Single(prefix => target.StartsWith(prefix, StringComparison.Ordinal)).Length..].Split('#')[0];
            Assert.That(Path.Exists(Path.Combine(Packed.Sources, path)), target);
        }

        var text = prefixes.Aggregate(readme, (shown, prefix) => shown.Replace(prefix, "", StringComparison.Ordinal));
        var expected = File.ReadAllText(Path.Combine(Packed.Sources, source)).Replace("](../../", "](", StringComparison.Ordinal);
        Assert.That(text.TrimEnd(), Is.EqualTo(expected.TrimEnd()));
    }

    [TestCase("CrawlData", new[]
    {
        "Dapper", "Microsoft.Extensions.Diagnostics.HealthChecks.Abstractions", "Microsoft.Extensions.Hosting.Abstractions", "Microsoft.Extensions.Options",
        "Npgsql", "dbup-postgresql",
    })]
    [TestCase("CrawlData.Dashboard", new[] { "CrawlData" })]
    [TestCase("CrawlData.Diagnostics", new[] { "CrawlData", "Microsoft.Extensions.Diagnostics.HealthChecks", "OpenTelemetry.Api" })]
    [TestCase("CrawlData.Testing", new[] { "CrawlData", "MysticMind.PostgresEmbed", "Testcontainers.PostgreSql" })]
    [TestCase("CrawlData.Cli", new string[0])]
    public void A_package_brings_what_it_needs_and_no_more(string id, string[] dependencies)
    {
        using var package = Packed.Open(id);

        var elements = Metadata(package, id).Descendants().Where(element => element.Name.LocalName == "dependency");

        Assert.That(elements.Select(element => element.Attribute("id")!.Value), Is.EquivalentTo(dependencies));
    }

    /// <summary>What Testcontainers forwards ports with, and what MysticMind.PostgresEmbed starts programs with.</summary>
    [Test]
    public void The_tool_s_package_has_no_assembly_that_it_never_loads()
    {
        using var package = Packed.Open("CrawlData.Cli");

        var names = package.Entries.Select(entry => entry.Name).ToList();
        Assert.That(names, Does.Contain("Testcontainers.dll").And.Not.Contain("Renci.SshNet.dll").And.Not.Contain("BouncyCastle.Cryptography.dll"));
        Assert.That(names, Does.Contain("MysticMind.PostgresEmbed.dll").And.Not.Contain("CliWrap.dll"));
        Assert.That(
            Encoding.UTF8.GetString(Packed.Read(package, "tools/net10.0/any/CrawlData.Cli.deps.json")),
            Does.Not.Contain("Renci.SshNet.dll").And.Not.Contain("CliWrap.dll"));
    }

    [Test]
    public void A_library_s_package_documents_its_members(
        [Values("CrawlData", "CrawlData.Dashboard", "CrawlData.Diagnostics", "CrawlData.Testing")] string id)
    {
        using var package = Packed.Open(id);
        var member = id switch
        {
            "CrawlData" => "T:CrawlData.Crawls.CrawlEventRepository",
            "CrawlData.Dashboard" => "T:CrawlData.Dashboard.CrawlDataDashboardOptions",
            "CrawlData.Diagnostics" => "T:OpenTelemetry.Trace.CrawlDataTracerProviderBuilderExtensions",
            _ => "T:CrawlData.Testing.ThrowawayDatabase",
        };

        Assert.That(package.Entries.Select(entry => entry.FullName).Where(name => name.StartsWith("lib/", StringComparison.Ordinal)),
            Is.EquivalentTo(new[] { $"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml" }));
        Assert.That(Encoding.UTF8.GetString(Packed.Read(package, $"lib/net10.0/{id}.xml")), Does.Contain($"<member name=\"{member}\">"));
    }

    [TestCase("CrawlData", "lib/net10.0")]
    [TestCase("CrawlData.Dashboard", "lib/net10.0")]
    [TestCase("CrawlData.Diagnostics", "lib/net10.0")]
    [TestCase("CrawlData.Testing", "lib/net10.0")]
    [TestCase("CrawlData.Cli", "tools/net10.0/any")]
    public void A_debugger_finds_every_source_by_its_symbols(string id, string folder)
    {
        using var package = Packed.Open(id, "snupkg");
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(Packed.Read(package, $"{folder}/{id}.pdb")));
        var symbols = provider.GetMetadataReader();

        Assert.That(Information(symbols, EntityHandle.ModuleDefinition, SourceLink).Select(Encoding.UTF8.GetString),
            Is.EqualTo(new[] { $$$"""{"documents":{"/_/*":"https://raw.githubusercontent.com/example/crawldata/{{{Packed.Commit}}}/*"}}""" }));
        Assert.That(symbols.Documents, Is.Not.Empty);
        foreach (var document in symbols.Documents)
        {
            var name = symbols.GetString(symbols.GetDocument(document).Name);
            Assert.That(name, Does.StartWith("/_/"));
            var isInRepository = File.Exists(Path.Combine(Packed.Sources, name[3..])) && !name.Contains("/obj/", StringComparison.Ordinal);
            Assert.That(isInRepository || Information(symbols, document, EmbeddedSource).Any(), name);
        }
    }

    [TestCase("CrawlData", "lib/net10.0/CrawlData")]
    [TestCase("CrawlData.Dashboard", "lib/net10.0/CrawlData.Dashboard")]
    [TestCase("CrawlData.Diagnostics", "lib/net10.0/CrawlData.Diagnostics")]
    [TestCase("CrawlData.Testing", "lib/net10.0/CrawlData.Testing")]
    [TestCase("CrawlData.Cli", "tools/net10.0/any/CrawlData.Cli")]
    public void Nothing_packed_names_a_folder_of_the_machine(string id, string name)
    {
        using var package = Packed.Open(id);
        using var symbols = Packed.Open(id, "snupkg");
        var folder = Encoding.UTF8.GetBytes(Path.GetDirectoryName(Packed.Sources)!);

        Assert.That(Packed.Read(package, $"{name}.dll").AsSpan().IndexOf(folder), Is.Negative);
        Assert.That(Packed.Read(symbols, $"{name}.pdb").AsSpan().IndexOf(folder), Is.Negative);
    }

    private static XElement Metadata(ZipArchive package, string id) =>
        XDocument.Load(new MemoryStream(Packed.Read(package, $"{id}.nuspec"))).Root!.Elements().Single();

    private static XElement Element(XElement metadata, string name) => metadata.Elements().Single(element => element.Name.LocalName == name);

    private static string Value(XElement metadata, string name) => Element(metadata, name).Value;

    private static (int Width, int Height) SizeOfPng(byte[] png) =>
        (BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)));

    private static IEnumerable<byte[]> Information(MetadataReader symbols, EntityHandle of, Guid kind) =>
        symbols.GetCustomDebugInformation(of).Select(symbols.GetCustomDebugInformation)
            .Where(information => symbols.GetGuid(information.Kind) == kind)
            .Select(information => symbols.GetBlobBytes(information.Value));
}
