using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>A fault of a piece of data that a client sends.</summary>
public enum Fault
{
    /// <summary>The piece is forwarded.</summary>
    None,

    /// <summary>The piece is lost, and both connections are closed.</summary>
    CutBefore,

    /// <summary>Half of the piece is forwarded, and then both connections are closed.</summary>
    CutMiddle,

    /// <summary>The piece is forwarded, and both connections are closed at once, while the server processes it.</summary>
    CutDuring,

    /// <summary>The piece is forwarded, and both connections are closed when the server answers. The answer is lost.</summary>
    CutAfter,

    /// <summary>The piece is lost, and only the client's connection is closed. The server does not notice.</summary>
    Silence,
}

/// <summary>A TCP proxy in front of PostgreSQL that injects faults.</summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    // Some pieces are not answered. A COMMIT is.
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromMilliseconds(100);

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource ended = new();
    private readonly CancellationToken endedToken;
    private readonly string host;
    private readonly Task accepting;
    private readonly List<IDisposable> silent = [];
    private int sent;
    private int generationToServer;
    private int generationToClient;

    public FaultProxy(string connectionString)
    {
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        (host, Port, endedToken) = (server.Host!, server.Port, ended.Token);
        listener.Start();
        accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Chooses the fault of each piece that a client sends after its session has started, from its number since <see cref="Restart"/> and its
    /// bytes.</summary>
    public Func<int, byte[], Fault> OnSent { get; set; } = (_, _) => Fault.None;

    /// <summary>Freezes the connections that are open: no piece passes in a direction, or in either, and none of them is closed. New connections
    /// work.</summary>
    public void FreezeOpenConnections(bool toServer = true, bool toClient = true)
    {
        if (toServer)
        {
            Interlocked.Increment(ref generationToServer);
        }

        if (toClient)
        {
            Interlocked.Increment(ref generationToClient);
        }
    }

    /// <summary>The port of the server that new connections lead to.</summary>
    public int Port { get; set; }

    /// <summary>The port that clients connect to.</summary>
    public int ListeningPort => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Whether new connections are dropped.</summary>
    public bool Down { get; set; }

    /// <summary>What a client that connects while the proxy is down gets as its answer, before the proxy drops it.</summary>
    public byte[] LastWords { get; set; } = [];

    /// <summary>The number of pieces that were sent since <see cref="Restart"/>.</summary>
    public int Sent => sent;

    public void Restart() => sent = 0;

    public NpgsqlDataSource CreateDataSource(string connectionString, Action<NpgsqlConnectionStringBuilder>? configure = null)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Host = "127.0.0.1",
            Port = ListeningPort,
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
        lock (silent)
        {
            silent.ForEach(connection => connection.Dispose());
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
        var (bornToServer, bornToClient) = (Volatile.Read(ref generationToServer), Volatile.Read(ref generationToClient));
        try
        {
            if (Down)
            {
                if (LastWords.Length > 0)
                {
                    await client.GetStream().ReadAtLeastAsync(new byte[1024], 1, cancellationToken: cut.Token);
                    await client.GetStream().WriteAsync(LastWords, cut.Token);
                }

                return;
            }

            await server.ConnectAsync(host, Port, cut.Token);
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

                        if (bornToClient != Volatile.Read(ref generationToClient))
                        {
                            await Task.Delay(Timeout.InfiniteTimeSpan, cut.Token);
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
                if (bornToServer != Volatile.Read(ref generationToServer))
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, cut.Token);
                }

                // Start-up messages, passwords and cancel requests are not counted.
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
                        await answered.Task.WaitAsync(IsCommit(sending) ? Wait.Longest : LongestAnswer, cut.Token);
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
        catch (Exception exception) when (
            exception is IOException or SocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
        }
        finally
        {
            client.Close();
            var isSilent = silence || bornToServer != Volatile.Read(ref generationToServer) || bornToClient != Volatile.Read(ref generationToClient);
            lock (silent)
            {
                // What ends with the proxy is closed here. The proxy has closed the others.
                if (isSilent &= !endedToken.IsCancellationRequested)
                {
                    silent.Add(server);
                }
            }

            if (!isSilent)
            {
                await cut.CancelAsync();
                server.Close();
            }
        }
    }
}
