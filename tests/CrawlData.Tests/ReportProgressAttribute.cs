using System.Diagnostics;
using NUnit.Framework.Interfaces;

namespace CrawlData.Tests;

/// <summary>Writes every ten seconds how many tests are done.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class ReportProgressAttribute : Attribute, ITestAction
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly Stopwatch elapsed = Stopwatch.StartNew();
    private readonly Lock gate = new();
    private TimeSpan next = Interval;
    private int done;

    public ActionTargets Targets => ActionTargets.Test;

    public void BeforeTest(ITest test)
    {
    }

    public void AfterTest(ITest test)
    {
        lock (gate)
        {
            done++;
            if (elapsed.Elapsed >= next)
            {
                next = elapsed.Elapsed + Interval;

                // The one output that `dotnet test` shows at once.
                TestContext.Error.WriteLine($"{done} tests done in {elapsed.Elapsed.TotalSeconds:0} s, now {test.ClassName}");
            }
        }
    }
}
