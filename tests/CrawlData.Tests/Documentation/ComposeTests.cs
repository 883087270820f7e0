using CrawlData.Testing;

namespace CrawlData.Tests.Documentation;

public sealed class ComposeTests
{
    [Test]
    public void The_server_of_the_compose_file_has_the_image_and_the_settings_of_a_throwaway_server()
    {
        var lines = File.ReadAllLines(Path.Combine(Snippets.Root, "docs", "compose.yaml")).Select(line => line.Trim()).ToList();

        Assert.That(lines, Does.Contain($"image: {ServerSearch.DefaultImage}"));
        var settings = ServerSettings.All.Select(setting => $"-c {setting.Name}={setting.Value}");
        Assert.That(lines, Does.Contain($"command: postgres {string.Join(' ', settings)}"));
    }
}
