namespace CrawlData.Tests.Faults.Checker;

/// <summary>Identifies an event, or a log line, by what its payload holds: the client that made it, and a number that the client uses once.</summary>
internal readonly record struct EventKey(int Client, int Number)
{
    public override string ToString() => $"{Client}/{Number}";
}
