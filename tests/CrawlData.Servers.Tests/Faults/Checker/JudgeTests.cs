using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Hand-made histories: one that breaks no promise, and one for each way to break one.</summary>
public sealed class JudgeTests
{
    private static readonly Guid Crawl = Guid.NewGuid();
    private static readonly Guid Session = Guid.NewGuid();
    private static readonly Exception Outage = new NpgsqlException("lost", new IOException());
    private static readonly Exception Check = new PostgresException("refused", "ERROR", "ERROR", PostgresErrorCodes.CheckViolation);

    private static readonly Exception OutcomeUnknown = new AppendOutcomeUnknownException("crawl_events", Crawl, [1], "lost", Outage);

    [Test]
    public void A_history_without_a_fault_breaks_no_promise()
    {
        var state = Stored((1, 1), (2, 2), (3, 3));
        state.Sessions.Add(Session, ("completed", 1));

        Assert.That(
            Judge.Check(
                [
                    Append(1, 2, [1], 1),
                    At(3, 4, new WriteOperation(1, 0, Crawl, Key(2))),
                    At(5, 6, new FlushOperation(1, 0)),
                    At(7, 8, new ReadOperation(1, 0, Crawl) { Keys = new HashSet<EventKey> { Key(2) } }),
                    Append(9, 10, [3], 3),
                    Follow((1, 1), (2, 2), (3, 3)),
                    Claim(1, 2, 1),
                    End(3, 4, 1, "complete", TransitionOutcome.Applied),
                ],
                state),
            Is.Empty);
    }

    [Test]
    public void An_acknowledged_event_that_is_not_stored_is_lost() => Expect(Promise.Lost, Stored(), Append(1, 2, [1], 1));

    [Test]
    public void An_acknowledged_event_of_a_crawl_that_was_purged_is_not_lost() => ExpectNone(
        Stored(),
        Append(1, 2, [1], 1),
        At(3, 4, new StatusOperation(1, Crawl, "fail") { Result = TransitionOutcome.Applied }),
        At(6, 7, new PurgeOperation(1, "crawl_runs", TimeSpan.FromSeconds(2))));

    [Test]
    public void An_acknowledged_event_of_a_crawl_that_ended_too_late_to_be_purged_is_lost() => Expect(
        Promise.Lost,
        Stored(),
        Append(1, 2, [1], 1),
        At(3, 4, new StatusOperation(1, Crawl, "fail") { Result = TransitionOutcome.Applied }),
        At(6, 7, new PurgeOperation(1, "crawl_runs", TimeSpan.FromSeconds(5))));

    [Test]
    public void An_acknowledged_event_whose_time_is_ahead_is_not_purged()
    {
        var append = new AppendOperation(1, "append", [(Crawl, Key(1))]) { Timestamp = TimeSpan.FromSeconds(6), Ids = [1] };
        Expect(
            Promise.Lost,
            Stored(),
            At(0, 1, new InsertOperation(1, "crawl_runs", [Crawl]) { HaveEnded = true }),
            At(1, 2, append),
            At(6, 7, new PurgeOperation(1, "crawl_runs", TimeSpan.FromSeconds(2))));
    }

    [Test]
    public void An_event_that_is_stored_twice_is_doubled([Values] bool isUnknown) => Expect(
        Promise.Doubled, Stored((1, 1), (2, 1)), isUnknown ? Failed(1, 2, OutcomeUnknown, 1) : Append(1, 2, [1], 1));

    [Test]
    public void A_refused_event_that_is_stored_is_unexpected() => Expect(Promise.Unexpected, Stored((1, 1)), Failed(1, 2, Outage, 1));

    [Test]
    public void An_event_that_was_never_written_is_unexpected() => Expect(Promise.Unexpected, Stored((1, 1)));

    [Test]
    public void An_event_of_an_unknown_outcome_may_be_stored_or_not([Values] bool isStored) =>
        ExpectNone(isStored ? Stored((1, 1)) : Stored(), Failed(1, 2, OutcomeUnknown, 1));

    [Test]
    public void An_event_with_another_id_than_was_returned_has_a_wrong_id() => Expect(Promise.WrongId, Stored((2, 1)), Append(1, 2, [1], 1));

    [Test]
    public void An_event_of_an_unknown_outcome_with_another_id_has_a_wrong_id() => Expect(Promise.WrongId, Stored((2, 1)), Failed(1, 2, OutcomeUnknown, 1));

    [Test]
    public void An_event_in_another_crawl_has_a_wrong_id()
    {
        var state = new StoredState();
        state.Events.Add(new StoredRow(Guid.NewGuid(), 1, Key(1)));
        Expect(Promise.WrongId, state, Append(1, 2, [1], 1));
    }

    [Test]
    public void A_batch_of_which_one_event_is_stored_is_partial() => Expect(Promise.Partial, Stored((1, 1)), Failed(1, 2, OutcomeUnknown, 1, 2));

    [Test]
    public void A_batch_whose_ids_do_not_rise_is_out_of_order() => Expect(Promise.OutOfOrder, Stored((1, 2), (2, 1)), Append(1, 2, [2, 1], 1, 2));

    [Test]
    public void A_lower_id_after_an_acknowledged_append_is_out_of_order() =>
        Expect(Promise.OutOfOrder, Stored((1, 2), (2, 1)), Append(1, 2, [2], 1), Append(3, 4, [1], 2));

    [Test]
    public void Concurrent_appends_are_in_any_order() => ExpectNone(Stored((1, 2), (2, 1)), Append(1, 3, [2], 1), Append(2, 4, [1], 2));

    [Test]
    public void Writes_that_are_stored_in_another_order_are_out_of_order() => Expect(Promise.OutOfOrder, Stored((1, 2), (2, 1)), Write(1, 1), Write(2, 2));

    [Test]
    public void Writes_that_are_repeated_in_their_order_are_in_order() =>
        ExpectNone(Stored((1, 1), (2, 2)), Write(1, 1), Write(2, 2), Take(3, Outage, 1, 2), Write(4, 1), Write(5, 2));

    [Test]
    public void Writes_that_are_repeated_and_stored_in_another_order_are_out_of_order() =>
        Expect(Promise.OutOfOrder, Stored((1, 2), (2, 1)), Write(1, 1), Write(2, 2), Take(3, Outage, 1, 2), Write(4, 1), Write(5, 2));

    [Test]
    public void An_event_that_was_written_and_neither_stored_nor_given_back_is_lost() => Expect(Promise.Lost, Stored(), Write(1, 1));

    [Test]
    public void An_event_that_was_given_back_and_is_stored_is_unexpected() => Expect(Promise.Unexpected, Stored((1, 1)), Write(1, 1), Take(2, Outage, 1));

    [Test]
    public void An_event_that_was_given_back_with_an_unknown_outcome_may_be_stored() => ExpectNone(Stored((1, 1)), Write(1, 1), Take(2, OutcomeUnknown, 1));

    [Test]
    public void An_event_that_is_given_back_twice_is_taken_twice() => Expect(Promise.TakenTwice, Stored(), Write(1, 1), Take(2, Outage, 1), Take(3, Outage, 1));

    [Test]
    public void An_event_that_is_stored_after_its_flush_was_flushed_early() => Expect(
        Promise.FlushedEarly, Stored((1, 1)), Write(1, 1), At(2, 3, new FlushOperation(1, 0)), At(4, 5, new ReadOperation(1, 0, Crawl)));

    [Test]
    public void An_event_that_is_given_back_before_a_flush_was_not_flushed_early() => ExpectNone(
        Stored(), Write(1, 1), Take(2, Outage, 1), At(3, 4, new FlushOperation(1, 0)), At(5, 6, new ReadOperation(1, 0, Crawl)));

    [Test]
    public void An_event_that_is_given_back_after_its_flush_was_flushed_early([Values(3, 5)] int taken) =>
        Expect(Promise.FlushedEarly, Stored(), Write(1, 1), At(2, 4, new FlushOperation(1, 0)), Take(taken, Outage, 1));

    [Test]
    public void An_event_that_is_written_after_a_flush_was_not_flushed_early() =>
        ExpectNone(Stored(), At(1, 2, new FlushOperation(1, 0)), Write(3, 1), Take(4, Outage, 1));

    [Test]
    public void A_take_of_one_crawl_gives_back_its_events_only() => Expect(
        Promise.NotAlone, Stored(), Write(1, 1), At(2, 3, new TakeOperation(1, 0, Session) { Taken = [(Crawl, Key(1), Outage)] }));

    [Test]
    public void A_flush_of_one_crawl_succeeds_while_another_has_unstored_events() =>
        ExpectNone(Stored(), Write(1, 1), At(2, 3, new FlushOperation(1, 0, Session)), Take(4, Outage, 1));

    [Test]
    public void An_event_behind_one_that_an_outage_held_is_not_stored() => Expect(
        Promise.StoredBehindHeld, Stored((1, 2)), Write(1, 1), Write(2, 2), Take(3, Outage, 1));

    [Test]
    public void An_event_behind_one_that_failed_alone_is_stored() => ExpectNone(
        Stored((1, 2)), Refused(1, 1), Write(2, 2), Take(3, Check, 1));

    [Test]
    public void An_event_that_is_given_back_with_another_s_error_did_not_fail_alone() => Expect(Promise.NotAlone, Stored(), Write(1, 1), Take(2, Check, 1));

    [Test]
    public void An_append_that_is_refused_for_another_s_event_did_not_fail_alone() => Expect(Promise.NotAlone, Stored(), Failed(1, 2, Check, 1));

    [Test]
    public void An_append_that_is_retried_does_not_give_up()
    {
        var append = new AppendOperation(1, "append", [(Crawl, Key(1))]) { MustSucceed = true, Outcome = Outcome.Refused, Error = Outage };
        Expect(Promise.GaveUp, Stored(), At(1, 2, append));
    }

    [Test]
    public void A_call_that_does_not_return_hangs()
    {
        var flush = At(1, 2, new FlushOperation(1, 0));
        (flush.Outcome, flush.Completed) = (Outcome.Pending, TimeSpan.MaxValue);
        Expect(Promise.Hung, Stored(), flush);
    }

    [Test]
    public void A_callback_s_exception_leaks()
    {
        var flush = At(1, 2, new FlushOperation(1, 0));
        (flush.Outcome, flush.Error) = (Outcome.Refused, new CallbackException());
        Expect(Promise.CallbackLeaked, Stored(), flush);
    }

    [Test]
    public void An_event_that_a_follower_did_not_get_is_missed() =>
        Expect(Promise.Missed, Stored((1, 1), (2, 2)), Append(1, 2, [1], 1), Append(3, 4, [2], 2), Follow((2, 2)));

    [Test]
    public void An_event_that_a_follower_gets_twice_is_misdelivered() =>
        Expect(Promise.Misdelivered, Stored((1, 1)), Append(1, 2, [1], 1), Follow((1, 1), (1, 1)));

    [Test]
    public void Events_that_a_follower_gets_out_of_order_are_misdelivered() =>
        Expect(Promise.Misdelivered, Stored((1, 1), (2, 2)), Append(1, 2, [1, 2], 1, 2), Follow((2, 2), (1, 1)));

    [Test]
    public void An_event_that_a_follower_gets_and_that_is_not_stored_is_misdelivered() =>
        Expect(Promise.Misdelivered, Stored((1, 1)), Append(1, 2, [1], 1), Failed(3, 4, Outage, 2), Follow((1, 1), (2, 2)));

    [Test]
    public void A_follower_that_ends_with_an_error_gave_up()
    {
        var follow = Follow();
        (follow.Outcome, follow.Error) = (Outcome.Unknown, Outage);
        Expect(Promise.GaveUp, Stored(), follow);
    }

    [Test]
    public void An_acknowledged_event_that_is_not_on_the_promoted_standby_is_lost() => Expect(Promise.Lost, Promoted(), Append(1, 2, [1], 1), Follow((1, 1)));

    [Test]
    public void An_event_that_nobody_acknowledged_may_be_lost_with_the_primary() => ExpectNone(
        Promoted((1, 1), (2, 3)),
        Append(1, 2, [1], 1),
        Failed(3, 4, OutcomeUnknown, 2),
        Append(5, 6, [2], 3),
        Follow((1, 1), (2, 2)));

    [Test]
    public void A_follower_misses_no_event_of_the_promoted_standby() =>
        Expect(Promise.Missed, Promoted((1, 1), (2, 2)), Append(1, 2, [1], 1), Append(3, 4, [2], 2), Follow((1, 1)));

    [Test]
    public void A_write_that_an_ambient_transaction_does_not_refuse_joins_it([Values] bool isStored) => Expect(
        Promise.JoinedAmbient,
        isStored ? Stored((1, 1)) : Stored(),
        At(1, 2, new AppendOperation(1, "append", [(Crawl, Key(1))]) { Ids = [1], IsAmbientWrite = true }));

    [Test]
    public void A_write_that_an_ambient_transaction_refuses_does_not_join_it()
    {
        var append = new AppendOperation(1, "append", [(Crawl, Key(1))]) { IsAmbientWrite = true, Error = new InvalidOperationException() };
        append.Outcome = append.OutcomeOf(append.Error);
        ExpectNone(Stored(), At(1, 2, append));
    }

    [Test]
    public void A_read_that_misses_an_event_joined_an_ambient_transaction([Values] bool isBefore)
    {
        Operation[] history = [Append(1, 2, [1], 1), At(isBefore ? 3 : 1, 4, new AmbientReadOperation(1, Crawl))];
        if (isBefore)
        {
            Expect(Promise.JoinedAmbient, Stored((1, 1)), history);
        }
        else
        {
            ExpectNone(Stored((1, 1)), history);
        }
    }

    [Test]
    public void A_run_that_is_started_twice_is_changed_wrongly() => Expect(
        Promise.WrongTransition,
        Stored(),
        At(1, 3, new StatusOperation(1, Crawl, "start") { Result = TransitionOutcome.Applied }),
        At(2, 4, new StatusOperation(2, Crawl, "start") { Result = TransitionOutcome.Applied }));

    [Test]
    public void A_start_that_is_refused_without_another_is_changed_wrongly() => Expect(
        Promise.WrongTransition, Stored(), At(1, 3, new StatusOperation(1, Crawl, "start") { Result = TransitionOutcome.Refused }));

    [Test]
    public void A_run_whose_end_is_undone_is_changed_wrongly()
    {
        var state = Stored();
        state.Runs.Add(Crawl, "RUNNING");
        Expect(
            Promise.WrongTransition,
            state,
            At(1, 2, new InsertOperation(1, "crawl_runs", [Crawl])),
            At(3, 4, new StatusOperation(1, Crawl, "cancel") { Result = TransitionOutcome.Applied }));
    }

    [Test]
    public void A_run_that_has_not_ended_is_not_purged() => Expect(
        Promise.Lost, Stored(), At(1, 2, new InsertOperation(1, "crawl_runs", [Crawl])), At(9, 10, new PurgeOperation(1, "crawl_runs", TimeSpan.Zero)));

    [Test]
    public void A_session_that_is_claimed_twice_for_an_attempt_has_two_workers() => Expect(Promise.TwoWorkers, Audited(), Claim(1, 2, 1), Claim(3, 4, 1));

    [Test]
    public void A_session_that_is_claimed_before_its_attempt_ended_has_two_workers() =>
        Expect(Promise.TwoWorkers, Audited(attempts: 2), Claim(1, 2, 1), Claim(3, 4, 2));

    [Test]
    public void A_session_that_is_rescued_has_one_worker() => ExpectNone(
        Audited(attempts: 2), Claim(1, 2, 1), Rescue(3, 4, 1), Claim(5, 6, 2), End(7, 8, 1, "complete", TransitionOutcome.Refused));

    [Test]
    public void A_worker_that_changes_a_rescued_session_is_one_of_two() => Expect(
        Promise.TwoWorkers, Audited(attempts: 2), Claim(1, 2, 1), Rescue(3, 4, 1), Claim(5, 6, 2), End(7, 8, 1, "record findings", TransitionOutcome.Applied));

    [Test]
    public void An_attempt_that_ends_twice_has_two_workers() => Expect(
        Promise.TwoWorkers,
        Audited(),
        Claim(1, 2, 1),
        End(3, 5, 1, "complete", TransitionOutcome.Applied),
        End(4, 6, 1, "fail", TransitionOutcome.Applied));

    [Test]
    public void An_end_that_is_refused_without_another_is_changed_wrongly() =>
        Expect(Promise.WrongTransition, Audited(), Claim(1, 2, 1), End(3, 4, 1, "complete", TransitionOutcome.Refused));

    [Test]
    public void A_session_whose_end_is_undone_is_changed_wrongly() =>
        Expect(Promise.WrongTransition, Audited(), Claim(1, 2, 1), End(3, 4, 1, "complete", TransitionOutcome.Applied));

    [Test]
    public void A_session_whose_claim_is_undone_is_lost() => Expect(Promise.Lost, Audited(attempts: 0), Claim(1, 2, 1));

    [Test]
    public void An_artifact_in_the_storage_is_not_purged() =>
        Expect(Promise.Lost, Stored(), Artifacts(1, 2, expired: false), At(3, 4, new PurgeOperation(1, "audit_sessions", TimeSpan.Zero)));

    [Test]
    public void An_artifact_that_the_store_returned_may_be_purged() =>
        ExpectNone(Stored(), Artifacts(1, 2, expired: true), Sweep(3, 4, returned: true), At(5, 6, new PurgeOperation(1, "audit_sessions", TimeSpan.Zero)));

    [Test]
    public void An_unexpired_artifact_is_not_swept() => Expect(Promise.SweptWrongly, Swept(), Artifacts(1, 2, expired: false), Sweep(3, 4, returned: true));

    [Test]
    public void An_artifact_that_is_marked_is_not_swept_again() =>
        Expect(Promise.SweptWrongly, Swept(), Artifacts(1, 2, expired: true), Sweep(3, 4, returned: true), Sweep(5, 6, returned: false));

    [Test]
    public void An_artifact_that_no_store_returned_is_not_marked() =>
        Expect(Promise.SweptWrongly, Swept(), Artifacts(1, 2, expired: true), Sweep(3, 4, returned: false));

    [Test]
    public void A_mark_that_is_undone_is_lost() =>
        Expect(Promise.Lost, Swept(isMarked: false), Artifacts(1, 2, expired: true), Sweep(3, 4, returned: true));

    [Test]
    public void A_log_line_that_is_not_old_enough_is_not_purged([Values] bool isOld)
    {
        var line = new AppendOperation(1, "append", [(Session, Key(1))]) { IsLog = true, Timestamp = TimeSpan.FromSeconds(isOld ? 1 : 5), Ids = [1] };
        Operation[] history = [At(1, 2, line), At(4, 5, new PurgeOperation(1, "audit_sessions", TimeSpan.FromSeconds(2)))];
        if (isOld)
        {
            ExpectNone(Stored(), history);
        }
        else
        {
            Expect(Promise.Lost, Stored(), history);
        }
    }

    [Test]
    public void A_session_that_has_not_ended_is_not_purged() => Expect(
        Promise.Lost,
        Stored(),
        At(1, 2, new InsertOperation(1, "audit_sessions", [Session])),
        At(3, 4, new PurgeOperation(1, "audit_sessions", TimeSpan.Zero)));

    private static void Expect(Promise promise, StoredState state, params Operation[] history)
    {
        var violations = Judge.Check(history, state);
        Assert.That(violations.Select(violation => violation.Promise), Does.Contain(promise));
        Assert.That(violations.Select(violation => $"{violation}"), Has.All.Contains("\n"), "each is explained");
    }

    private static void ExpectNone(StoredState state, params Operation[] history) =>
        Assert.That(Judge.Check(history, state).Select(violation => $"{violation}"), Is.Empty);

    private static EventKey Key(int number) => new(1, number);

    private static StoredState Stored(params (long Id, int Number)[] events)
    {
        var state = new StoredState();
        state.Events.AddRange(events.Select(one => new StoredRow(Crawl, one.Id, Key(one.Number))));
        return state;
    }

    private static StoredState Promoted(params (long Id, int Number)[] events)
    {
        var state = new StoredState { IsPromoted = true };
        state.Events.AddRange(Stored(events).Events);
        return state;
    }

    private static StoredState Audited(int attempts = 1)
    {
        var state = Stored();
        state.Sessions.Add(Session, ("running", attempts));
        return state;
    }

    private static StoredState Swept(bool isMarked = true)
    {
        var state = Stored();
        state.Artifacts.Add(Session, isMarked);
        return state;
    }

    private static T At<T>(int invoked, int completed, T operation) where T : Operation
    {
        (operation.Invoked, operation.Completed) = (TimeSpan.FromSeconds(invoked), TimeSpan.FromSeconds(completed));
        operation.Outcome = operation.Outcome == Outcome.Pending ? Outcome.Acknowledged : operation.Outcome;
        return operation;
    }

    private static AppendOperation Append(int invoked, int completed, long[] ids, params int[] numbers) =>
        At(invoked, completed, new AppendOperation(1, "append", [.. numbers.Select(number => (Crawl, Key(number)))]) { Ids = ids });

    private static AppendOperation Failed(int invoked, int completed, Exception error, params int[] numbers)
    {
        var append = Append(invoked, completed, [], numbers);
        (append.Error, append.Outcome) = (error, append.OutcomeOf(error));
        return append;
    }

    private static WriteOperation Write(int second, int number) => At(second, second, new WriteOperation(1, 0, Crawl, Key(number)));

    private static WriteOperation Refused(int second, int number) => At(second, second, new WriteOperation(1, 0, Crawl, Key(number)) { IsRefused = true });

    private static TakeOperation Take(int second, Exception error, params int[] numbers) =>
        At(second, second, new TakeOperation(1, 0) { Taken = [.. numbers.Select(number => (Crawl, Key(number), error))] });

    private static FollowOperation Follow(params (long Id, int Number)[] delivered)
    {
        var follow = At(0, 20, new FollowOperation(2, Crawl));
        follow.Delivered.AddRange(delivered.Select(one => new StoredRow(Crawl, one.Id, Key(one.Number))));
        return follow;
    }

    private static ClaimOperation Claim(int invoked, int completed, int attempt) =>
        At(invoked, completed, new ClaimOperation(1) { Session = Session, Attempt = attempt });

    private static AttemptOperation End(int invoked, int completed, int attempt, string change, TransitionOutcome result) =>
        At(invoked, completed, new AttemptOperation(1, Session, attempt, change) { Result = result });

    private static RescueOperation Rescue(int invoked, int completed, int attempt) =>
        At(invoked, completed, new RescueOperation(2) { Rescued = [(Session, attempt, "queued")] });

    // One artifact stands for its session.
    private static InsertArtifactsOperation Artifacts(int invoked, int completed, bool expired) =>
        At(invoked, completed, new InsertArtifactsOperation(1, Session, [Session], expired));

    private static SweepOperation Sweep(int invoked, int completed, bool returned) =>
        At(invoked, completed, new SweepOperation(1, [Session]) { Returned = returned ? [Session] : [] });
}
