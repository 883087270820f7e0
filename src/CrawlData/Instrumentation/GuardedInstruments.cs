using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace CrawlData.Instrumentation;

/// <summary>Calls instruments and activity sources, and ignores the exceptions of their listeners. A listener runs inside the call. Its exception must not make
/// a stored append look failed, nor end a background task.</summary>
internal static class GuardedInstruments
{
    /// <summary>Makes an instrument or a source.</summary>
    /// <returns>The instrument; null when a listener that was notified threw an exception.</returns>
    public static T? TryCreate<T>(Func<T> create) where T : class
    {
        try
        {
            return create();
        }
        catch (Exception)
        {
            return null;
        }
    }

    public static void TryAdd(this Counter<long>? counter, long value, in TagList tags)
    {
        try
        {
            counter?.Add(value, tags);
        }
        catch (Exception)
        {
            // As above, here and below.
        }
    }

    public static void TryAdd(this UpDownCounter<long>? counter, long value, in TagList tags)
    {
        try
        {
            counter?.Add(value, tags);
        }
        catch (Exception)
        {
        }
    }

    public static void TryRecord<T>(this Histogram<T>? histogram, T value, in TagList tags) where T : struct
    {
        try
        {
            histogram?.Record(value, tags);
        }
        catch (Exception)
        {
        }
    }

    public static void TryRecord<T>(this Gauge<T>? gauge, T value, in TagList tags) where T : struct
    {
        try
        {
            gauge?.Record(value, tags);
        }
        catch (Exception)
        {
        }
    }

    /// <summary>Starts an activity as a child of the current one.</summary>
    /// <returns>The activity; null when no listener samples it, or when a listener threw an exception.</returns>
    public static Activity? TryStart(this ActivitySource? source, string name, ActivityKind kind, IEnumerable<KeyValuePair<string, object?>> tags)
    {
        var parent = Activity.Current;
        try
        {
            return source?.StartActivity(name, kind, parentContext: default, tags);
        }
        catch (Exception)
        {
            // The activity has become the current one. Nothing would stop it.
            Activity.Current = parent;
            return null;
        }
    }

    /// <summary>Stops an activity. Its parent becomes the current one.</summary>
    public static void TryStop(this Activity? activity)
    {
        try
        {
            activity?.Stop();
        }
        catch (Exception)
        {
            Activity.Current = activity!.Parent;
        }
    }
}
