namespace CrawlData.Tests;

public sealed class CrawledTextTests
{
    [Test]
    public void Text_that_can_be_stored_is_returned_as_it_is()
    {
        const string text = "plain, é, 😀, \ufffd";

        Assert.That(CrawledText.Repair(text), Is.SameAs(text));
        Assert.That(CrawledText.Repair(null), Is.Null);
        Assert.That(CrawledText.Repair(""), Is.Empty);
    }

    [Test]
    public void Each_NUL_and_each_lone_surrogate_becomes_a_replacement_character()
    {
        Assert.Multiple(() =>
        {
            Assert.That(CrawledText.Repair("\0a\0\0"), Is.EqualTo("\ufffda\ufffd\ufffd"));
            Assert.That(CrawledText.Repair("\ud83d"), Is.EqualTo("\ufffd"));
            Assert.That(CrawledText.Repair("\ude00\ud83d\ude00\ud83d"), Is.EqualTo("\ufffd😀\ufffd"));
            Assert.That(CrawledText.Repair("\ud83d\0\ude00"), Is.EqualTo("\ufffd\ufffd\ufffd"));
        });
    }
}
