using System.Text.RegularExpressions;

namespace CrawlData.Tests.Documentation;

public sealed partial class LinkTests
{
    [TestCaseSource(typeof(Snippets), nameof(Snippets.Pages))]
    public void A_page_links_to_files_and_headings_that_exist(string page)
    {
        var file = Path.Combine(Snippets.Root, page);
        var targets = Link().Matches(File.ReadAllText(file)).Select(link => link.Groups["target"].Value);
        foreach (var target in targets.Where(target => !target.StartsWith("https://", StringComparison.Ordinal)))
        {
            var (path, anchor) = target.Split('#') is [var name, var heading] ? (name, heading) : (target, null);
            var linked = path.Length == 0 ? file : Path.Combine(Path.GetDirectoryName(file)!, path);

            Assert.That(Path.Exists(linked), $"{page}: {target}");
            if (anchor is not null)
            {
                var anchors = Heading().Matches(File.ReadAllText(linked)).Select(found => ToAnchor(found.Groups["text"].Value));
                Assert.That(anchors, Does.Contain(anchor), $"{page}: {target}");
            }
        }
    }

    private static string ToAnchor(string heading) => NotInAnchors().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex(@"\]\((?<target>[^)]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("^#+ (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("[^a-z0-9 -]")]
    private static partial Regex NotInAnchors();
}
