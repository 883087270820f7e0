namespace CrawlData.Tests.Faults;

/// <summary>The outcome of a fault, in numbers.</summary>
internal sealed record FaultCounts
{
    public required string Fault { get; init; }

    public required int Crawls { get; init; }

    /// <summary>Events that were reported as stored.</summary>
    public int Acknowledged { get; init; }

    /// <summary>Events that were reported as not stored.</summary>
    public int Refused { get; init; }

    /// <summary>Events whose outcome was reported as unknown.</summary>
    public int Unknown { get; init; }

    /// <summary>Calls outside a caller's transaction that failed though the fault was transient.</summary>
    public int Failed { get; init; }

    public int Stored { get; init; }

    /// <summary>Events that were acknowledged and are not stored.</summary>
    public int Lost { get; init; }

    public int Duplicated { get; init; }

    /// <summary>Events of one writer and crawl that are stored in another order than they were written.</summary>
    public int OutOfOrder { get; init; }

    /// <summary>Events that are stored though they were refused or never written.</summary>
    public int Unexpected { get; init; }

    /// <summary>Events delivered to followers: once by the crawl's follower, once by the follower of all crawls.</summary>
    public int Followed { get; init; }

    /// <summary>Events that are stored and were not delivered to a follower.</summary>
    public int Missed { get; init; }

    /// <summary>Events that were delivered twice or out of the order of their ids, or that are not stored.</summary>
    public int Misdelivered { get; init; }

    public static string Header =>
        $"{"fault",-52}{"crawls",7}{"acknowledged",14}{"stored",9}{"refused",9}{"unknown",9} |"
        + $"{"failed",8}{"lost",6}{"duplicated",12}{"out of order",14}{"unexpected",12} |{"followed",10}{"missed",8}{"misdelivered",10}";

    public FaultCounts AndFollowed(List<long> stored, List<long> followed) => this with
    {
        Followed = Followed + followed.Count,
        Missed = Missed + stored.Except(followed).Count(),
        Misdelivered = Misdelivered + followed.Zip(followed.Skip(1)).Count(pair => pair.First >= pair.Second) + followed.Except(stored).Count(),
    };

    public void Check()
    {
        TestContext.Out.WriteLine($"{Header}\n{this}");
        Assert.That((Failed, Lost, Duplicated, OutOfOrder, Unexpected, Missed, Misdelivered), Is.EqualTo((0, 0, 0, 0, 0, 0, 0)));
        Assert.That(Acknowledged, Is.GreaterThan(20));
    }

    public override string ToString() =>
        $"{Fault,-52}{Crawls,7}{Acknowledged,14:N0}{Stored,9:N0}{Refused,9:N0}{Unknown,9:N0} |"
        + $"{Failed,8:N0}{Lost,6:N0}{Duplicated,12:N0}{OutOfOrder,14:N0}{Unexpected,12:N0} |{Followed,10:N0}{Missed,8:N0}{Misdelivered,10:N0}";
}
