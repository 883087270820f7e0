namespace CrawlData.Tests;

/// <summary>Reports on the thread that makes progress, unlike <see cref="Progress{T}"/>.</summary>
public sealed class ImmediateProgress<T>(Action<T> report) : IProgress<T>
{
    public void Report(T value) => report(value);
}
