using System.Diagnostics.Metrics;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Listens to the library's metrics, and throws at some measurements of one database. Other tests run in the same process.</summary>
internal sealed class CallbackMeterListener : IDisposable
{
    private readonly MeterListener listener = new();
    private readonly string database;
    private readonly FaultCounter counter;

    public CallbackMeterListener(string database, FaultCounter counter)
    {
        this.database = database;
        this.counter = counter;
        listener.InstrumentPublished = (instrument, itself) =>
        {
            if (instrument.Meter.Name == "CrawlData")
            {
                itself.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => ThrowSometimes(tags));
        listener.SetMeasurementEventCallback<int>((_, _, tags, _) => ThrowSometimes(tags));
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => ThrowSometimes(tags));
        listener.Start();
    }

    public void Dispose() => listener.Dispose();

    private void ThrowSometimes(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach (var tag in tags)
        {
            if (tag.Key == "db.namespace" && tag.Value is string name && name == database && Random.Shared.Next(20) == 0)
            {
                counter.Add("throwing meter listener");
                throw new CallbackException();
            }
        }
    }
}
