using System.Net;
using AngleSharp.Html.Parser;

namespace CrawlData.Dashboard.Tests;

/// <summary>Follows every link, form, asset and redirect from a dashboard's first page on, as a browser resolves them.</summary>
internal static class LinkWalk
{
    private static readonly HtmlParser Parser = new();

    /// <summary>Walks, and requires that each address lies below the first page and is there.</summary>
    /// <returns>The addresses, relative to the first page, without queries.</returns>
    public static async Task<IReadOnlyCollection<string>> RunAsync(HttpClient client, Uri first)
    {
        var seen = new HashSet<Uri> { first };
        var next = new Queue<Uri>([first]);
        while (next.TryDequeue(out var address))
        {
            using var response = await client.GetAsync(address);
            if (response.StatusCode == HttpStatusCode.Found)
            {
                Add(address, response.Headers.Location!.OriginalString);
                continue;
            }

            var text = await response.Content.ReadAsStringAsync();
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), $"{address}: {text}");
            if (response.Content.Headers.ContentType!.MediaType == "text/html")
            {
                var page = Parser.ParseDocument(text);
                foreach (var element in page.QuerySelectorAll("[href], [src], form"))
                {
                    var target = element.GetAttribute("href") ?? element.GetAttribute("src") ?? element.GetAttribute("action") ?? "";
                    if (element.QuerySelectorAll("input[name=run][type=checkbox]").Take(2).ToArray() is [var one, var other])
                    {
                        target += $"?run={one.GetAttribute("value")}&run={other.GetAttribute("value")}";
                    }

                    Assert.That(target, Does.Not.StartWith("/").And.Not.Contains("://"), $"{address}: {target}");
                    if (!target.StartsWith('#'))
                    {
                        Add(address, target);
                    }
                }
            }
        }

        return [.. seen.Select(address => address.AbsolutePath[first.AbsolutePath.Length..]).Distinct()];

        void Add(Uri document, string target)
        {
            // Browsers drop the fragment. An empty reference is the document.
            var address = new Uri(new Uri(document, target).GetLeftPart(UriPartial.Query));
            Assert.That(address.AbsolutePath, Does.StartWith(first.AbsolutePath), $"{document}: {target}");
            if (seen.Add(address))
            {
                Assert.That(seen, Has.Count.LessThan(500), "the walk ends");
                next.Enqueue(address);
            }
        }
    }
}
