using System.Diagnostics;
using CrawlData.Tests;

namespace CrawlData.Pooling.Tests;

/// <summary>Starts poolers.</summary>
internal static class PoolerProcess
{
    /// <summary>Starts the process and waits until its log says that it is ready.</summary>
    public static async Task<Process> StartAsync(ProcessStartInfo start, string ready)
    {
        var log = new List<string>();
        var listens = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var process = new Process { StartInfo = start };
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is null)
            {
                listens.TrySetException(new AssertionException($"{start.FileName} ended:\n{string.Join('\n', log)}"));
            }
            else if (!listens.Task.IsCompleted)
            {
                log.Add(line.Data);
                if (line.Data.Contains(ready, StringComparison.Ordinal))
                {
                    listens.TrySetResult();
                }
            }
        };
        process.Start();
        process.BeginErrorReadLine();
        await listens.Task.WaitAsync(Wait.Longest);
        return process;
    }
}
