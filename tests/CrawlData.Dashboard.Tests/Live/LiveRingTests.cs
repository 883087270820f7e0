using CrawlData.Dashboard.Live;

namespace CrawlData.Dashboard.Tests.Live;

public sealed class LiveRingTests
{
    [Test]
    public void A_frame_has_500_items_and_64_KiB_at_most_and_none_is_left_out()
    {
        foreach (var (bytes, most) in new[] { (10, LiveRing.FrameItems), (1_000, LiveRing.FrameBytes / 1_001), (65_000, 1) })
        {
            var ring = Filled(1_000_000_000, bytes, 1_200);
            long? last = null;
            var ids = new List<long>();
            while (ring.Next(last) is { Items.Count: > 0 } frame)
            {
                Assert.That(frame.Items, Has.Count.LessThanOrEqualTo(most));
                Assert.That(frame.Items.Sum(one => one.Json.Length + 1) + 1, Is.LessThanOrEqualTo(LiveRing.FrameBytes));
                ids.AddRange(frame.Items.Select(one => one.Id));
                last = ids[^1];
            }

            Assert.That(ids, Is.EqualTo(Enumerable.Range(1, 1_200)));
        }
    }

    [Test]
    public void It_holds_the_last_items_that_fit_and_says_up_to_where_others_are_missing()
    {
        var ring = Filled(100_000, 936, 1_000);

        Assert.That((ring.Next(null).MissedUpToId, ring.Next(null).Items.Count), Is.EqualTo((1_000, 0)));
        Assert.That(ring.Next(899).MissedUpToId, Is.EqualTo(1_000));
        Assert.That(ring.Next(900).MissedUpToId, Is.Null);
        Assert.That(ring.Next(900).Items[0].Id, Is.EqualTo(901));
        Assert.That(ring.Next(999).Items.Single().Id, Is.EqualTo(1_000));
        Assert.That(ring.Next(1_000).Items, Is.Empty);

        // The viewer's page is newer than the follower.
        Assert.That((ring.Next(2_000).MissedUpToId, ring.Next(2_000).Items.Count), Is.EqualTo(((long?)null, 0)));
    }

    private static LiveRing Filled(int maxBytes, int bytes, int count)
    {
        var ring = new LiveRing(maxBytes);
        for (var id = 1; id <= count; id++)
        {
            ring.Add(new LiveItem(id, new byte[bytes]));
        }

        return ring;
    }
}
