using System.Net;
using System.Net.Sockets;

namespace CrawlData.Packages.Tests;

/// <summary>A package source that offers data on vulnerabilities, and knows one of a package: Newtonsoft.Json before 13.0.1. It is added to a NuGet
/// configuration, and taken out again when disposed.</summary>
internal sealed class AuditSource : IAsyncDisposable
{
    private readonly HttpListener listener;
    private readonly string config;
    private readonly string original;
    private readonly Task answers;

    private AuditSource(HttpListener listener, Uri address, string config, string original)
    {
        (this.listener, this.config, this.original) = (listener, config, original);
        answers = AnswerAsync(address);
    }

    public static async Task<AuditSource> StartAsync(string config)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}/");
        free.Stop();
        var listener = new HttpListener();
        listener.Prefixes.Add(address.AbsoluteUri);
        listener.Start();
        var original = await File.ReadAllTextAsync(config);
        await File.WriteAllTextAsync(config, original.Replace(
            "</configuration>",
            $"""<auditSources><add key="audits" value="{address}index.json" allowInsecureConnections="true" /></auditSources></configuration>""",
            StringComparison.Ordinal));
        return new AuditSource(listener, address, config, original);
    }

    public async ValueTask DisposeAsync()
    {
        listener.Close();
        await answers;
        await File.WriteAllTextAsync(config, original);
    }

    private async Task AnswerAsync(Uri address)
    {
        var files = new Dictionary<string, string>
        {
            ["/index.json"] = $$"""{"version":"3.0.0","resources":[{"@id":"{{address}}data.json","@type":"VulnerabilityInfo/6.7.0"}]}""",
            ["/data.json"] = $$"""[{"@name":"base","@id":"{{address}}base.json","@updated":"2026-01-01T00:00:00Z"}]""",
            ["/base.json"] = """{"newtonsoft.json":[{"severity":2,"url":"https://example.org/advisory","versions":"(, 13.0.1)"}]}""",
        };
        try
        {
            while (true)
            {
                var context = await listener.GetContextAsync();
                if (files.TryGetValue(context.Request.Url!.AbsolutePath, out var file))
                {
                    await context.Response.OutputStream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(file));
                }
                else
                {
                    context.Response.StatusCode = 404;
                }

                context.Response.Close();
            }
        }
        catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
        {
            // The source is disposed.
        }
    }
}
