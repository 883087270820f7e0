using CrawlData.Storage;

namespace CrawlData.Tests;

/// <summary>A listing accepts only its own cursors.</summary>
public class KeysetCursorTests : DatabaseTest
{
    [Test]
    public async Task A_cursor_is_refused_by_another_listing_order_or_parent()
    {
        var (crawl, otherCrawl) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        var (session, otherSession) = (await EnqueueAsync(), await EnqueueAsync());
        foreach (var parent in new[] { crawl, otherCrawl })
        {
            await Events.AppendAsync(parent, EventsOf(2));
        }

        foreach (var parent in new[] { session, otherSession })
        {
            await Logs.AppendAsync(parent, [Line(1), Line(2)]);
        }

        Func<string?, Task<string?>>[] listings =
        [
            async cursor => (await Runs.ListAsync(null, 1, cursor)).NextCursor,
            async cursor => (await Sessions.ListAsync(null, 1, cursor)).NextCursor,
            async cursor => (await Sessions.ListAsync(null, 1, cursor, ListOrder.OldestFirst)).NextCursor,
            async cursor => (await Logs.ListAsync(session, null, 1, cursor)).NextCursor,
            async cursor => (await Logs.ListAsync(otherSession, null, 1, cursor)).NextCursor,
            async cursor => (await Events.ListAsync(crawl, null, 1, cursor)).NextCursor,
            async cursor => (await Events.ListAsync(otherCrawl, null, 1, cursor)).NextCursor,
            async cursor => (await Events.ListAllAsync(cursor, 1)).Cursor,
        ];
        foreach (var one in listings)
        {
            var cursor = await one(null);

            Assert.That(cursor, Does.Match("^[A-Za-z0-9_-]{23,46}$"));
            foreach (var other in listings)
            {
                await Assert.ThatAsync(
                    () => other(cursor), one == other ? Throws.Nothing : Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("cursor"));
            }
        }
    }

    [Test]
    public void A_cursor_decodes_to_the_encoded_values([Values(long.MinValue, 0, 9_223_371_331_199_999_999, long.MaxValue)] long microseconds)
    {
        var time = new Instant(microseconds);
        var parent = Guid.NewGuid();
        var cursor = new KeysetCursor<long>(time, long.MinValue);

        Assert.That(KeysetCursor<long>.Decode(cursor.Encode(CursorKind.Logs, parent), CursorKind.Logs, parent), Is.EqualTo(cursor));
    }

    /// <summary>A cursor's kind, then a time before and a time after the supported range.</summary>
    [TestCase("CYAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("CX_______-_-AAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("nonsense!")]
    [TestCase("")]
    public void Text_that_is_not_a_cursor_is_refused(string text) =>
        Assert.That(
            () => KeysetCursor<Guid>.Decode(text, CursorKind.RunsNewestFirst),
            Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("cursor"));
}
