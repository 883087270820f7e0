using System.Diagnostics.Metrics;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Receives how long the writers of a database say that they have been retrying.</summary>
internal sealed class RetryDurations : IDisposable
{
    private readonly MeterListener listener = new();

    public RetryDurations(string connectionString)
    {
        var database = new NpgsqlConnectionStringBuilder(connectionString).Database;
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (instrument.Name == "crawldata.writer.retry_duration")
            {
                listening.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<double>((_, seconds, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (tag.Key == "db.namespace" && Equals(tag.Value, database))
                {
                    Received.Add(seconds);
                }
            }
        });
        listener.Start();
    }

    /// <summary>The durations, in seconds.</summary>
    public ReceivedItems<double> Received { get; } = new();

    /// <summary>Waits until the writers have retried some more times.</summary>
    public Task UntilRetriedAsync(int times = 3) => Received.UntilCountAsync(Received.Count + times);

    public void Dispose() => listener.Dispose();
}
