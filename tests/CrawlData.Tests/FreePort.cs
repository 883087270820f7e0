using System.Net;
using System.Net.Sockets;

namespace CrawlData.Tests;

/// <summary>Finds a TCP port of the loopback address that is free now. It is below those that systems give to outgoing connections, so no connection takes it
/// before the test's program does.</summary>
internal static class FreePort
{
    private static int last = Random.Shared.Next(20_000);

    public static int Find()
    {
        while (true)
        {
            var port = 10_000 + (Interlocked.Increment(ref last) % 20_000);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Another program has it.
            }
        }
    }
}
