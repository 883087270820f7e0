using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Servers;

/// <summary>A server with TLS and a certificate for the name localhost only.</summary>
[Parallelizable(ParallelScope.All)]
public sealed class TlsTests
{
    private RestartableServer server = null!;
    private DirectoryInfo folder = null!;

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        server = await RestartableServer.StartAsync();
        folder = Directory.CreateTempSubdirectory("crawldata-tls-");
        using var authority = CreateAuthority();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = CreateCertificate(authority, key, "localhost");
        await File.WriteAllTextAsync(RootCertificate, authority.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(server.Folder, "server.crt"), certificate.ExportCertificatePem());

        // The server requires that only its own user can read the key.
        var copied = Path.Combine(server.Folder, "key");
        await File.WriteAllTextAsync(copied, key.ExportPkcs8PrivateKeyPem());
        await server.RunAsync("install", "-m", "600", copied, Path.Combine(server.Folder, "server.key"));
        await server.SetAsync(("ssl", "on"));
        await using var create = server.DataSource.CreateCommand("create database tls");
        await create.ExecuteNonQueryAsync();
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        await server.DisposeAsync();
        folder.Delete(recursive: true);
    }

    private string RootCertificate => Path.Combine(folder.FullName, "root.crt");

    [Test]
    public async Task The_end_to_end_scenario_works_with_the_server_s_name_verified()
    {
        var connectionString = ConnectionString("localhost", RootCertificate, "tls");
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        Assert.That(await connection.ExecuteScalarAsync<bool>("select ssl from pg_stat_ssl where pid = pg_backend_pid()"));

        await EndToEndScenario.RunAsync(connectionString, migrate: true);
    }

    [Test]
    public async Task Another_authority_is_refused()
    {
        using var authority = CreateAuthority();
        var otherRoot = Path.Combine(folder.FullName, "other.crt");
        await File.WriteAllTextAsync(otherRoot, authority.ExportCertificatePem());

        await AssertRefusedAsync(ConnectionString("localhost", otherRoot, "postgres"));
    }

    [Test]
    public Task A_name_that_is_not_in_the_certificate_is_refused() => AssertRefusedAsync(ConnectionString("127.0.0.1", RootCertificate, "postgres"));

    private static async Task AssertRefusedAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await Assert.ThatAsync(() => connection.OpenAsync(), Throws.InstanceOf<NpgsqlException>().With.InnerException.InstanceOf<AuthenticationException>());
    }

    private string ConnectionString(string host, string rootCertificate, string database) => new NpgsqlConnectionStringBuilder(server.ConnectionString)
    {
        Host = host,
        Database = database,
        SslMode = SslMode.VerifyFull,
        RootCertificate = rootCertificate,
    }.ConnectionString;

    private static X509Certificate2 CreateAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=An authority of a test's", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(X509BasicConstraintsExtension.CreateForCertificateAuthority());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private static X509Certificate2 CreateCertificate(X509Certificate2 authority, ECDsa key, string name)
    {
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        return request.Create(authority, authority.NotBefore, authority.NotAfter, [1]);
    }
}
