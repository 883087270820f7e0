namespace CrawlData.Citus.Tests.Faults;

/// <summary>A fault while events are appended.</summary>
public enum ClusterFault
{
    /// <summary>The statement that appends does not arrive at the worker.</summary>
    StatementIsLost,

    /// <summary>The statement that appends arrives at the worker, and its answer does not arrive at the coordinator.</summary>
    AnswerToStatementIsLost,

    /// <summary>The client's connection is closed while the coordinator commits.</summary>
    ClientIsCutDuringCommit,

    /// <summary>The client's connection is closed when the coordinator has answered its COMMIT.</summary>
    ClientIsCutAfterCommit,

    /// <summary>COMMIT does not arrive at the worker.</summary>
    CommitIsLost,

    /// <summary>COMMIT arrives at the worker, and its answer does not arrive at the coordinator.</summary>
    AnswerToCommitIsLost,

    /// <summary>PREPARE TRANSACTION does not arrive at the worker.</summary>
    PrepareIsLost,

    /// <summary>PREPARE TRANSACTION arrives at the worker, and its answer does not arrive at the coordinator.</summary>
    AnswerToPrepareIsLost,

    /// <summary>COMMIT PREPARED does not arrive at the worker.</summary>
    CommitPreparedIsLost,

    /// <summary>A worker crashes between PREPARE TRANSACTION and COMMIT PREPARED.</summary>
    WorkerIsKilled,

    /// <summary>A worker crashes before the statement that appends arrives.</summary>
    WorkerIsKilledBeforeCommit,

    /// <summary>The coordinator crashes when it has sent COMMIT or COMMIT PREPARED, which arrives at the worker.</summary>
    CoordinatorIsKilled,

    /// <summary>The coordinator crashes, and COMMIT or COMMIT PREPARED does not arrive at the worker.</summary>
    CoordinatorIsKilledBeforeCommit,
}
