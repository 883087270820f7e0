using System.Collections.Concurrent;
using System.Diagnostics;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Records the operations of many clients. For each it records when it was invoked, when it returned, and its outcome.</summary>
internal sealed class History
{
    /// <summary>How long a call may last. It is longer than the library's limits and all faults together, also beside other checkers.</summary>
    public static readonly TimeSpan LongestCall = TimeSpan.FromMinutes(5);

    private readonly ConcurrentQueue<Operation> operations = [];
    private readonly long started = Stopwatch.GetTimestamp();

    public IReadOnlyCollection<Operation> Operations => operations;

    /// <summary>Whether a call did not return.</summary>
    public bool HasHung { get; private set; }

    public TimeSpan Now => Stopwatch.GetElapsedTime(started);

    /// <summary>Runs an operation, and records it. The call writes its result into the operation.</summary>
    /// <returns>Whether it was acknowledged.</returns>
    public async Task<bool> RunAsync(Operation operation, Func<Task> call)
    {
        Begin(operation);
        var running = Task.Run(call);
        try
        {
            await running.WaitAsync(LongestCall);
            End(operation, Outcome.Acknowledged);
        }
        catch (TimeoutException) when (!running.IsCompleted)
        {
            // The operation stays pending.
            HasHung = true;
        }
        catch (Exception error)
        {
            operation.Error = error;
            End(operation, operation.OutcomeOf(error));
        }

        return operation.IsAcknowledged;
    }

    public void Begin(Operation operation)
    {
        operation.Invoked = Now;
        operations.Enqueue(operation);
    }

    public void End(Operation operation, Outcome outcome)
    {
        operation.Completed = Now;
        operation.Outcome = outcome;
    }
}
