using CrawlData.Dashboard.Live;
using Microsoft.Extensions.Logging.Abstractions;

namespace CrawlData.Dashboard.Tests.Live;

public sealed class LiveFollowersTests
{
    [Test]
    public async Task A_run_that_failed_is_begun_anew_while_a_viewer_of_it_has_not_left()
    {
        var followers = new LiveFollowers();
        var source = new LiveSource
        {
            Noun = "run",
            BeginAsync = (_, _) => Task.FromException<LiveStart?>(new NotSupportedException("of the test")),
            Follow = (_, _, _) => AsyncEnumerable.Empty<IReadOnlyList<LiveItem>>(),
            Time = TimeProvider.System,
            Logger = NullLogger.Instance,
        };
        var id = Guid.NewGuid();
        using var first = followers.Enter(source, id);
        await Assert.ThatAsync(() => first.Follower.Started, Throws.InstanceOf<NotSupportedException>());

        using var second = followers.Enter(source, id);

        Assert.That(second.Follower, Is.Not.SameAs(first.Follower));
    }
}
