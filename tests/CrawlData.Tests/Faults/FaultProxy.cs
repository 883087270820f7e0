using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>What becomes of a piece of data that a client sends.</summary>
public enum Fault
{
    /// <summary>It goes through.</summary>
    None,

    /// <summary>It is lost, with both connections.</summary>
    CutBefore,

    /// <summary>Half of it goes through, and then both connections are lost.</summary>
    CutMiddle,

    /// <summary>It goes through, and both connections are lost at once, while the server works on it.</summary>
    CutDuring,

    /// <summary>It goes through, and both connections are lost with the server's answer.</summary>
    CutAfter,

    /// <summary>It is lost with the client's connection, and the server does not notice.</summary>
    Silence,
}

/// <summary>A TCP proxy in front of PostgreSQL, which loses connections when it is told to.</summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromMilliseconds(100);

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource ended = new();
    private readonly string host;
    private readonly int port;
    private readonly Task accepting;
    private readonly List<IDisposable> silent = [];
    private int sent;

    public FaultProxy(string connectionString)
    {
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        (host, port) = (server.Host!, server.Port);
        listener.Start();
        accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Decides on each piece that a client sends after the start of its session: its number since <see cref="Restart"/>, and what it is.</summary>
    public Func<int, byte[], Fault> OnSent { get; set; } = (_, _) => Fault.None;

    /// <summary>Whether connections are refused.</summary>
    public bool Down { get; set; }

    /// <summary>How many pieces were sent since <see cref="Restart"/>.</summary>
    public int Sent => sent;

    public void Restart() => sent = 0;

    public NpgsqlDataSource CreateDataSource(string connectionString, Action<NpgsqlConnectionStringBuilder>? configure = null)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Host = "127.0.0.1",
            Port = ((IPEndPoint)listener.LocalEndpoint).Port,
            SslMode = SslMode.Disable,
            GssEncryptionMode = GssEncryptionMode.Disable,
        };
        configure?.Invoke(builder);
        return NpgsqlDataSource.Create(builder);
    }

    public static bool IsCommit(byte[] piece) => piece.AsSpan().IndexOf("COMMIT\0"u8) >= 0;

    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync();
        listener.Stop();
        await accepting;
        foreach (var connection in silent)
        {
            connection.Dispose();
        }

        ended.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!ended.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptTcpClientAsync(ended.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        var server = new TcpClient();
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(ended.Token);
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var swallow = false;
        var silence = false;
        try
        {
            if (Down)
            {
                return;
            }

            await server.ConnectAsync(host, port, cut.Token);
            client.NoDelay = server.NoDelay = true;
            var answers = Task.Run(async () =>
            {
                var buffer = new byte[64 * 1024];
                try
                {
                    for (int read; (read = await server.GetStream().ReadAsync(buffer, cut.Token)) > 0;)
                    {
                        if (Volatile.Read(ref swallow))
                        {
                            answered.TrySetResult();
                            return;
                        }

                        await client.GetStream().WriteAsync(buffer.AsMemory(0, read), cut.Token);
                    }
                }
                catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
                {
                }

                answered.TrySetResult();
                client.Close();
            });
            var piece = new byte[64 * 1024];
            var started = false;
            for (int read; (read = await client.GetStream().ReadAsync(piece, cut.Token)) > 0;)
            {
                var sending = piece.AsSpan(0, read).ToArray();

                // The start of a session, a password and a request to cancel are not counted.
                started = started || (sending[0] is not (0 or (byte)'p'));
                var fault = started && sending[0] != (byte)'X' ? OnSent(Interlocked.Increment(ref sent), sending) : Fault.None;
                Volatile.Write(ref swallow, fault is Fault.CutDuring or Fault.CutAfter or Fault.Silence);
                silence = fault == Fault.Silence;
                if (fault is Fault.CutBefore or Fault.Silence)
                {
                    return;
                }

                await server.GetStream().WriteAsync(fault == Fault.CutMiddle ? sending.AsMemory(0, (sending.Length + 1) / 2) : sending, cut.Token);
                if (fault == Fault.CutAfter)
                {
                    try
                    {
                        await answered.Task.WaitAsync(LongestAnswer, cut.Token);
                    }
                    catch (TimeoutException)
                    {
                        // Some pieces are not answered.
                    }
                }

                if (fault != Fault.None)
                {
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
        }
        finally
        {
            client.Close();
            if (silence)
            {
                lock (silent)
                {
                    silent.Add(server);
                }
            }
            else
            {
                await cut.CancelAsync();
                server.Close();
            }
        }
    }
}
