namespace CrawlData.Browser.Tests;

/// <summary>The suite hears what a browser complains of. Otherwise its silence would prove nothing.</summary>
public sealed class ComplaintsTests : BrowserTest
{
    [TestCase("console.error('broken')", "error at .*: broken")]
    [TestCase("setTimeout(() => { throw new Error('broken') })", "script: .*broken")]
    [TestCase("setTimeout(() => alert('asked'))", "dialog: asked")]
    [TestCase("setTimeout(() => { document.body.innerHTML = '<b>' })", "TrustedHTML")]
    [TestCase("document.body.append(Object.assign(document.createElement('style'), { textContent: 'b {}' }))", "Content Security Policy")]
    [TestCase("document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.1:9/x' }))", "Content Security Policy")]
    [TestCase("fetch('/elsewhere')", "request: .*/elsewhere")]
    public async Task A_page_that_misbehaves_fails_its_test(string script, string complaint)
    {
        var visit = () => BrowseAsync(async page =>
        {
            await OpenAsync(page, "artifacts");
            var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

            // They come after those of the suite, in the order of the subscriptions.
            page.Context.Console += (_, _) => heard.TrySetResult();
            page.Context.WebError += (_, _) => heard.TrySetResult();
            page.Context.Dialog += (_, _) => heard.TrySetResult();
            page.Context.Request += (_, _) => heard.TrySetResult();
            await page.EvaluateAsync($"() => {{ {script} }}");
            await heard.Task.WaitAsync(TimeSpan.FromSeconds(60));
        });

        await Assert.ThatAsync(visit, Throws.InstanceOf<AssertionException>().With.Message.Matches(complaint));
    }
}
