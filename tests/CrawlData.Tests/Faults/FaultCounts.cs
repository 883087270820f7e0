namespace CrawlData.Tests.Faults;

/// <summary>What came of a fault.</summary>
internal sealed record FaultCounts
{
    public required string Fault { get; init; }

    public required int Crawls { get; init; }

    /// <summary>Events whose writer was told that they are stored.</summary>
    public int Acknowledged { get; init; }

    /// <summary>Events whose writer was told that they are not stored.</summary>
    public int Refused { get; init; }

    /// <summary>Events of which nobody could say.</summary>
    public int Unknown { get; init; }

    /// <summary>Calls that failed though the fault passed: all that are not in a caller's transaction are to be tried again.</summary>
    public int Failed { get; init; }

    public int Stored { get; init; }

    /// <summary>Acknowledged and not stored.</summary>
    public int Lost { get; init; }

    public int Duplicated { get; init; }

    /// <summary>Of one writer and crawl, in another order than it wrote them.</summary>
    public int OutOfOrder { get; init; }

    /// <summary>Stored though refused, or never written.</summary>
    public int Unexpected { get; init; }

    /// <summary>Given to those who follow: once by the crawl's follower, once by that of all.</summary>
    public int Followed { get; init; }

    /// <summary>Stored and not given to a follower.</summary>
    public int Missed { get; init; }

    /// <summary>Given to a follower twice, or in another order than by rising ids, or not stored.</summary>
    public int Misgiven { get; init; }

    public static string Header =>
        $"{"fault",-52}{"crawls",7}{"acknowledged",14}{"stored",9}{"refused",9}{"unknown",9} |{"failed",8}{"lost",6}{"duplicated",12}{"out of order",14}{"unexpected",12} |{"followed",10}{"missed",8}{"misgiven",10}";

    public FaultCounts AndFollowed(List<long> stored, List<long> followed) => this with
    {
        Followed = Followed + followed.Count,
        Missed = Missed + stored.Except(followed).Count(),
        Misgiven = Misgiven + followed.Zip(followed.Skip(1)).Count(pair => pair.First >= pair.Second) + followed.Except(stored).Count(),
    };

    public void Check()
    {
        TestContext.Out.WriteLine($"{Header}\n{this}");
        Assert.That((Failed, Lost, Duplicated, OutOfOrder, Unexpected, Missed, Misgiven), Is.EqualTo((0, 0, 0, 0, 0, 0, 0)));
        Assert.That(Acknowledged, Is.GreaterThan(20));
    }

    public override string ToString() =>
        $"{Fault,-52}{Crawls,7}{Acknowledged,14:N0}{Stored,9:N0}{Refused,9:N0}{Unknown,9:N0} |{Failed,8:N0}{Lost,6:N0}{Duplicated,12:N0}{OutOfOrder,14:N0}{Unexpected,12:N0} |{Followed,10:N0}{Missed,8:N0}{Misgiven,10:N0}";
}
