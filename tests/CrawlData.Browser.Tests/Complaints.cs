using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace CrawlData.Browser.Tests;

/// <summary>What a browser complains of: messages in its console, errors of scripts, violations of the Content-Security-Policy and of Trusted Types, dialogs,
/// and requests that fail or leave the dashboard.</summary>
internal sealed class Complaints
{
    // The browser logs each answer that is an error. Tests check the status.
    private const string ErrorStatus = "Failed to load resource: the server responded with a status of 4";

    private readonly ConcurrentQueue<string> all = [];

    public Complaints(IBrowserContext context, Uri root)
    {
        // A violation of the policy, with or without scripts, is an error in the console.
        context.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning" && !message.Text.StartsWith(ErrorStatus, StringComparison.Ordinal))
            {
                all.Enqueue($"{message.Type} at {message.Location}: {message.Text}");
            }
        };
        context.WebError += (_, error) => all.Enqueue($"script: {error.Error}");
        context.Dialog += async (_, dialog) =>
        {
            all.Enqueue($"dialog: {dialog.Message}");
            await dialog.DismissAsync();
        };
        context.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(root.AbsoluteUri, StringComparison.Ordinal))
            {
                all.Enqueue($"request: {request.Url}");
            }
        };
        context.Response += (_, response) =>
        {
            if (response.Status >= 500)
            {
                all.Enqueue($"{response.Status}: {response.Url}");
            }
        };
    }

    public void AssertNone() => Assert.That(string.Join('\n', all), Is.Empty);
}
