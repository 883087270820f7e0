using CrawlData.Storage;
using Microsoft.Extensions.Time.Testing;

namespace CrawlData.Tests;

public sealed class Uuid7Tests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void Ids_rise_while_the_clock_stands_still_and_when_it_goes_back()
    {
        var time = new FakeTimeProvider(Noon) { AutoAdvanceAmount = TimeSpan.Zero };
        var ids = new Uuid7(time);
        var made = Enumerable.Range(0, 10_000).Select(_ => ids.Next()).ToList();
        time.AdjustTime(Noon.AddHours(-1));
        made.AddRange(Enumerable.Range(0, 100).Select(_ => ids.Next()));
        time.AdjustTime(Noon.AddMinutes(1));
        made.AddRange(Enumerable.Range(0, 100).Select(_ => ids.Next()));

        AssertRises(made);
    }

    [Test]
    public void An_id_has_the_layout_of_version_7_with_the_fraction_of_the_millisecond()
    {
        var id = new Uuid7(new FakeTimeProvider(Noon.AddTicks(5_000))).Next();
        var hex = id.ToString("N");

        Assert.That((id.Version, id.Variant & 0xC), Is.EqualTo((7, 8)));
        Assert.That(Convert.ToInt64(hex[..12], 16), Is.EqualTo(Noon.ToUnixTimeMilliseconds()));
        Assert.That(Convert.ToInt32(hex[13..16], 16), Is.EqualTo(4_096 / 2), "half a millisecond");
        Assert.That(Enumerable.Range(0, 100).Select(_ => Uuid7.New().ToString("N")[17..]).Distinct().Count(), Is.EqualTo(100), "the rest is random");
    }

    [Test]
    public async Task Ids_of_several_threads_are_distinct_and_rise_for_each()
    {
        var threads = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => Task.Run(() => Enumerable.Range(0, 20_000).Select(_ => Uuid7.New()).ToList())));

        foreach (var made in threads)
        {
            AssertRises(made);
        }

        Assert.That(threads.SelectMany(made => made).Distinct().Count(), Is.EqualTo(80_000));
    }

    // As PostgreSQL compares them: by their bytes.
    private static void AssertRises(List<Guid> made) =>
        Assert.That(made.Zip(made.Skip(1)).Count(pair => string.CompareOrdinal(pair.First.ToString(), pair.Second.ToString()) >= 0), Is.Zero);
}
