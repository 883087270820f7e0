using CrawlData.Dashboard.Reads;

namespace CrawlData.Dashboard.Screens;

/// <summary>How a run's events are spread over its time, in parts of equal length.</summary>
/// <param name="From">The time of the first event.</param>
/// <param name="To">The time of the last event.</param>
/// <param name="IsExact">Whether all events were looked at. Otherwise the shares are estimates.</param>
/// <param name="Parts">The parts.</param>
internal sealed record EventStrip(DateTimeOffset From, DateTimeOffset To, bool IsExact, IReadOnlyList<StripPart> Parts)
{
    private const int MostParts = 120;

    // Other runs draw ids too. So many hits around a sample tell which share of the ids is this run's.
    private const int Hits = 8;

    // Samples on either side that tell it where nearly none is hit.
    private const int Neighbours = 12;

    /// <summary>Estimates the parts from samples.</summary>
    /// <param name="samples">The samples.</param>
    /// <param name="isError">Whether events of a type are errors.</param>
    /// <returns>Null when there are none.</returns>
    public static EventStrip? Of(EventSamples samples, Func<string, bool> isError)
    {
        var items = samples.Items;
        if (items.Count == 0)
        {
            return null;
        }

        var (from, to) = (items.Min(sample => sample.Time), items.Max(sample => sample.Time));
        var count = to == from ? 1 : MostParts;
        var (weights, errors) = (new double[count], new double[count]);
        var areHit = items.Count(sample => sample.Gap == 0) >= Hits;
        for (var index = 0; index < items.Count; index++)
        {
            var part = to == from ? 0 : Math.Min(count - 1, (int)((items[index].Time - from) / (to - from) * count));
            var weight = samples.IsAll ? 1 : Density(index);
            weights[part] += weight;
            errors[part] += isError(items[index].EventType) ? weight : 0;
        }

        var (sum, length) = (weights.Sum(), (to - from) / count);
        return new EventStrip(
            from,
            to,
            samples.IsAll,
            [
                .. weights.Select((weight, part) => new StripPart(
                    from + (length * part), samples.IsAll ? (long)weight : null, sum > 0 ? weight / sum : 0, weight > 0 ? errors[part] / weight : 0)),
            ]);

        double Density(int index)
        {
            if (!areHit)
            {
                return 1 / (1 + items.Take(new Range(Math.Max(0, index - Neighbours), Math.Min(items.Count, index + Neighbours + 1))).Average(one => one.Gap));
            }

            var (hits, seen) = (0, 0);
            for (var reach = 0; hits < Hits; reach++)
            {
                foreach (var near in reach == 0 ? [index] : new[] { index - reach, index + reach }.Where(near => near >= 0 && near < items.Count))
                {
                    seen++;
                    hits += items[near].Gap == 0 ? 1 : 0;
                }
            }

            return (double)hits / seen;
        }
    }
}
