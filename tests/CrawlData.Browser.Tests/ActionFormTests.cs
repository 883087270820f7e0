using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Dashboard.Text;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>What operators do by clicking: each action asks, is done or left, and its page shows the result.</summary>
public sealed class ActionFormTests : BrowserTest
{
    [Test]
    public Task A_run_is_cancelled_when_an_operator_confirms_it([Values] bool hasScripts) => OperateAsync(
        async page =>
        {
            var run = (await InsertRunAsync(CrawlStatus.Running)).Id;
            await page.GotoAsync($"runs/{run}");
            await Link(page, "Cancel the run…").ClickAsync();
            await Expect(page.Locator("h1")).ToHaveTextAsync("Cancel the run?");
            await Link(page, "Leave it as it is").ClickAsync();
            await Expect(StatusOf(page)).ToHaveTextAsync("running");
            Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Running));

            await Link(page, "Cancel the run…").ClickAsync();
            await Button(page, "Cancel the run").ClickAsync();
            await Expect(StatusOf(page)).ToHaveTextAsync("cancelled");
            await Expect(Link(page, "Retry the run…")).ToBeVisibleAsync();
            await Expect(Link(page, "Cancel the run…")).ToHaveCountAsync(0);
            Assert.That(page.Url, Does.EndWith($"runs/{run}"));
            Assert.That(ActionLog.Messages, Does.Contain($"operator: cancel of runs {run} is done."));
        },
        new BrowserNewContextOptions { JavaScriptEnabled = hasScripts });

    [Test]
    public Task A_run_is_failed_with_the_reason_that_an_operator_writes() => OperateAsync(async page =>
    {
        const string Reason = "the device is gone <img src=x onerror=\"document.title = 'ran'\">";
        var run = (await InsertRunAsync(CrawlStatus.Running)).Id;
        await page.GotoAsync($"runs/{run}/fail");
        await Button(page, "Fail the run").ClickAsync();
        await Expect(page.Locator("textarea:invalid")).ToBeFocusedAsync();
        Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Running), "a reason is required");

        await page.GetByLabel("Why").FillAsync(Reason);
        await Button(page, "Fail the run").ClickAsync();
        await Expect(StatusOf(page)).ToHaveTextAsync("failed");
        await Expect(page.Locator(".error-box")).ToHaveTextAsync(Reason);
        Assert.That(ActionLog.Messages, Does.Contain($"operator: fail of runs {run} is done."));
        Assert.That(ActionLog.Messages, Has.None.Contains("device"));
    });

    [Test]
    public Task A_retry_leads_to_the_new_run_and_back() => OperateAsync(async page =>
    {
        var run = (await InsertRunAsync(CrawlStatus.Failed)).Id;
        await page.GotoAsync($"runs/{run}");
        await Link(page, "Retry the run…").ClickAsync();
        await Button(page, "Retry the run").ClickAsync();
        await Expect(StatusOf(page)).ToHaveTextAsync("pending");
        Assert.That(page.Url, Does.Not.EndWith($"{run}"));

        await Link(page, "the run before").ClickAsync();
        await Expect(Link(page, "the retry")).ToBeVisibleAsync();
        Assert.That(page.Url, Does.EndWith($"runs/{run}"));
    });

    [TestCase("requeue", "Queue the session again", AuditSessionStatus.Failed, AuditSessionStatus.Queued)]
    [TestCase("release", "Release the session", AuditSessionStatus.Running, AuditSessionStatus.Queued)]
    [TestCase("fail", "Fail the session", AuditSessionStatus.Running, AuditSessionStatus.Failed)]
    public Task A_session_is_changed(string action, string title, AuditSessionStatus before, AuditSessionStatus after) => OperateAsync(async page =>
    {
        var session = (await InsertSessionAsync("https://example.org/", before)).Id;
        await page.GotoAsync($"sessions/{session}");
        await Link(page, $"{title}…").ClickAsync();
        if (action == "fail")
        {
            await page.GetByLabel("Why").FillAsync("the site blocks us");
        }

        await Button(page, title).ClickAsync();
        await Expect(StatusOf(page)).ToHaveTextAsync(after.ToLabel());
        await Expect(page.Locator(".error-box")).ToHaveTextAsync(action == "fail" ? ["the site blocks us"] : []);
        Assert.That(ActionLog.Messages, Does.Contain($"operator: {action} of sessions {session} is done."));
    });

    /// <summary>The run ends, and the session's attempt passes on, while the question is on the screen.</summary>
    [Test]
    public Task What_became_impossible_meanwhile_is_refused_with_words() => OperateAsync(async page =>
    {
        var run = (await InsertRunAsync(CrawlStatus.Running)).Id;
        await page.GotoAsync($"runs/{run}/cancel");
        (await Runs.CompleteAsync(run)).EnsureApplied();
        await Button(page, "Cancel the run").ClickAsync();
        await Expect(page.Locator("h1")).ToHaveTextAsync("Its state does not allow that");
        await AssertSeemlyAsync(page);
        Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That(ActionLog.Messages, Does.Contain($"operator: cancel of runs {run} is refused by its state."));
        await page.GotoAsync($"runs/{run}/cancel");
        await Expect(page.Locator(".warning-box")).ToContainTextAsync("pending or running");

        var session = (await InsertSessionAsync("https://example.org/", AuditSessionStatus.Running)).Id;
        await page.GotoAsync($"sessions/{session}/release");
        await using (var claim = DataSource.CreateCommand($"update audit_sessions set attempts = attempts + 1 where id = '{session}'"))
        {
            await claim.ExecuteNonQueryAsync();
        }

        await Button(page, "Release the session").ClickAsync();
        await Expect(page.Locator("h1")).ToHaveTextAsync("Its state does not allow that");
        Assert.That((await Sessions.GetAsync(session))!.Status, Is.EqualTo(AuditSessionStatus.Running));
    });

    /// <summary>The browser says where the form comes from, and a page cannot say otherwise.</summary>
    [Test]
    public Task A_form_of_another_site_does_nothing() => OperateAsync(async page =>
    {
        var run = (await InsertRunAsync(CrawlStatus.Running)).Id;
        var address = new Uri(await OperatorsAsync(), $"runs/{run}/cancel").AbsoluteUri;
        var response = await page.RunAndWaitForResponseAsync(
            () => page.EvaluateAsync(
                """
                address => {
                    const form = document.createElement("form");
                    Object.assign(form, { method: "post", action: address });
                    document.body.append(form);
                    form.submit();
                }
                """,
                address),
            address);

        Assert.That(response.Status, Is.EqualTo(403));
        Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Running));
    });

    private async Task OperateAsync(Func<IPage, Task> visit, BrowserNewContextOptions? options = null) =>
        await BrowseAsync(visit, options, await OperatorsAsync());

    private static ILocator StatusOf(IPage page) => page.Locator("h1 .badge").First;
}
