using System.Text.RegularExpressions;

namespace CrawlData.Browser.Tests;

/// <summary>The suite hears what a browser complains of. Otherwise its silence would prove nothing.</summary>
public sealed class ComplaintsTests : BrowserTest
{
    [TestCase("console.error('broken')", "broken")]
    [TestCase("setTimeout(() => { throw new Error('broken') })", "broken")]
    [TestCase("setTimeout(() => alert('asked'))", "asked")]
    [TestCase("setTimeout(() => { document.body.innerHTML = '<b>' })", "TrustedHTML")]
    [TestCase("document.body.append(Object.assign(document.createElement('style'), { textContent: 'b {}' }))", "Content Security Policy")]
    [TestCase("document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.1:9/x' }))", "Content Security Policy")]
    [TestCase("fetch('/elsewhere')", "/elsewhere")]
    public async Task A_page_that_misbehaves_fails_its_test(string script, string complaint)
    {
        var visit = () => BrowseAsync(async page =>
        {
            await OpenAsync(page, "artifacts");

            // These handlers come after those of the suite, in the order of the subscriptions.
            var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            void Hear(string text) => _ = Regex.IsMatch(text, complaint) && heard.TrySetResult();
            page.Context.Console += (_, message) => Hear(message.Text);
            page.Context.WebError += (_, error) => Hear(error.Error);
            page.Context.Dialog += (_, dialog) => Hear(dialog.Message);
            page.Context.Request += (_, request) => Hear(request.Url);
            await page.EvaluateAsync($"() => {{ {script} }}");
            await heard.Task.WaitAsync(TimeSpan.FromSeconds(60));
        });

        await Assert.ThatAsync(visit, Throws.InstanceOf<AssertionException>().With.Message.Matches(complaint));
    }
}
