using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace CrawlData.Packages.Tests;

/// <summary>An nginx in front of a web app, with the defaults of a reverse proxy.</summary>
internal sealed class Nginx : IDisposable
{
    private static readonly string[] Programs = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx"];

    private readonly Process process;
    private readonly DirectoryInfo folder;

    private Nginx(Process process, DirectoryInfo folder, Uri address) => (this.process, this.folder, Address) = (process, folder, address);

    public Uri Address { get; }

    /// <param name="app">The web app.</param>
    /// <param name="settings">Settings of the location that differ from the defaults.</param>
    /// <param name="location">The prefix of the paths that nginx passes on.</param>
    /// <param name="path">What replaces the prefix; empty to pass the paths on as they are.</param>
    public static async Task<Nginx> StartAsync(Uri app, string settings = "", string location = "/", string path = "")
    {
        var program = Programs.FirstOrDefault(File.Exists) ?? throw new AssertionException("nginx is not installed: apt-get install nginx-light");
        var folder = Directory.CreateTempSubdirectory("crawldata-nginx-");
        var port = FreePort();
        var file = Path.Combine(folder.FullName, "nginx.conf");
        await File.WriteAllTextAsync(
            file,
            $$"""
            daemon off;
            pid nginx.pid;
            error_log stderr notice;
            events {}
            http {
                access_log off;
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                server {
                    listen 127.0.0.1:{{port}};
                    location {{location}} {
                        proxy_pass {{app.GetLeftPart(UriPartial.Authority)}}{{path}};
                        {{settings}}
                    }
                }
            }

            """);
        var start = new ProcessStartInfo(program, ["-p", folder.FullName, "-e", "stderr", "-c", file]) { RedirectStandardError = true };
        var process = Process.Start(start)!;
        var log = new List<string>();
        while (await process.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1)) is { } line)
        {
            log.Add(line);
            if (line.Contains("start worker process ", StringComparison.Ordinal))
            {
                // Otherwise a full pipe would stop it.
                _ = process.StandardError.ReadToEndAsync();
                return new Nginx(process, folder, new Uri($"http://127.0.0.1:{port}"));
            }
        }

        throw new AssertionException($"nginx ended:\n{string.Join('\n', log)}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public void Dispose()
    {
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
        folder.Delete(recursive: true);
    }
}
