namespace CrawlData.Tests.Documentation;

public sealed class SnippetTests
{
    [TestCaseSource(typeof(Snippets), nameof(Snippets.Pages))]
    public void A_page_shows_the_code_that_the_tests_run(string page)
    {
        var file = Path.Combine(Snippets.Root, page);
        var text = File.ReadAllText(file);
        var generated = Snippets.Generate(text);
        if (Environment.GetEnvironmentVariable("CRAWLDATA_UPDATE_SNIPPETS") == "1")
        {
            File.WriteAllText(file, generated);
            return;
        }

        Assert.That(text, Is.EqualTo(generated), "To write the page from the tests, set CRAWLDATA_UPDATE_SNIPPETS=1 and run this test.");
        Assert.That(text.Split("```csharp").Length - 1, Is.EqualTo(Snippets.NamesIn(text).Count()), "Every block of C# needs a snippet above it.");
    }

    [Test]
    public void Every_snippet_is_shown()
    {
        var shown = Snippets.Pages.SelectMany(page => Snippets.NamesIn(File.ReadAllText(Path.Combine(Snippets.Root, page)))).Distinct();

        Assert.That(shown, Is.EquivalentTo(Snippets.All.Keys));
    }
}
