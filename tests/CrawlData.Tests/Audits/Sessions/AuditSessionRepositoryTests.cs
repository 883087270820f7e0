using CrawlData.Audits;
using CrawlData.Storage;

namespace CrawlData.Tests.Audits;

public class AuditSessionRepositoryTests : DatabaseTest
{
    private static readonly DateTimeOffset Start = new(2026, 4, 4, 13, 30, 0, TimeSpan.Zero);

    private static readonly string[] NoUrls =
    [
        "", " ", "/a", "//example.org/", "example.org", "ftp://example.org/", "file:///etc/passwd", "javascript:alert(1)", "http:", "http://",
        "http:example.org", "https:///a", "https://example.org:99999/", "https://ex ample.org/", "https://ex%00ample.org/", "https://example.org/\0",
    ];

    [Test]
    public async Task A_session_is_enqueued_with_every_column_given()
    {
        var given = new NewAuditSession
        {
            Id = Guid.NewGuid(),
            Url = "https://example.org/shop?q=1",
            Mode = AuditMode.EvidencePack,
            RetentionPolicy = RetentionPolicy.Long,
            CrawlPolicyVersion = "'; drop table audit_sessions; -- 😀",
            ConfigSnapshot = Jsonb.Parse("[1, null]"),
            CreatedAt = Start.AddTicks(19).ToOffset(TimeSpan.FromHours(5.75)),
        };

        var enqueued = await Sessions.InsertAsync(given);

        Assert.That(enqueued, Is.EqualTo(new AuditSession
        {
            Id = given.Id!.Value,
            Url = "https://example.org/shop?q=1",
            Status = AuditSessionStatus.Queued,
            CreatedAt = Start.AddTicks(10),
            Mode = AuditMode.EvidencePack,
            RetentionPolicy = RetentionPolicy.Long,
            Attempts = 0,
            CrawlPolicyVersion = "'; drop table audit_sessions; -- 😀",
            ConfigSnapshot = Jsonb.Parse("[1,null]"),
            LowConfidence = false,
        }));
        Assert.That(enqueued.CreatedAt.Offset, Is.EqualTo(TimeSpan.Zero));
        Assert.That(await Sessions.GetAsync(enqueued.Id), Is.EqualTo(enqueued));
    }

    [Test]
    public async Task A_session_requires_only_its_url_and_its_policy()
    {
        var enqueued = await Sessions.InsertAsync(Session());

        Assert.That((enqueued.Mode, enqueued.RetentionPolicy, enqueued.Id.Version), Is.EqualTo((AuditMode.Standard, RetentionPolicy.Standard, 7)));
        Assert.That(enqueued.CreatedAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
        Assert.That((enqueued.FinalUrl, enqueued.PdpUrl, enqueued.ErrorSummary), Is.EqualTo(((string?)null, (string?)null, (string?)null)));
    }

    [Test]
    public async Task A_batch_of_sessions_is_enqueued_in_its_order()
    {
        var urls = Enumerable.Range(1, 500).Select(number => $"https://example.org/{number}").ToList();

        var enqueued = await Sessions.InsertAsync(urls.Select(Session));

        Assert.That(enqueued.Select(session => session.Url), Is.EqualTo(urls));
        Assert.That(enqueued.Select(session => session.CreatedAt), Is.Ordered);
        Assert.That(enqueued[^1].CreatedAt, Is.GreaterThan(enqueued[0].CreatedAt), "each has a place of its own in the queue");
        Assert.That(await Sessions.InsertAsync([]), Is.Empty);
    }

    [Test]
    public async Task A_duplicate_id_is_a_typed_error_and_enqueues_nothing([Values] bool inTheBatchItself)
    {
        var (taken, fresh, last) = (Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid());
        await Sessions.InsertAsync(Session() with { Id = taken });
        Guid[] ids = inTheBatchItself ? [fresh, last, last] : [fresh, taken, last];

        var exception = await Assert.ThrowsAsync<RowAlreadyExistsException>(() => Sessions.InsertAsync(ids.Select(id => Session() with { Id = id })));

        Assert.That((exception!.Table, exception.Ids), Is.EqualTo(("audit_sessions", ids)));
        Assert.That(new[] { await Sessions.GetAsync(fresh), await Sessions.GetAsync(last) }, Is.All.Null);
    }

    [Test]
    public async Task A_null_session_is_named_by_its_index_and_enqueues_nothing()
    {
        var first = Guid.NewGuid();

        await Assert.ThatAsync(
            () => Sessions.InsertAsync([Session() with { Id = first }, null!]),
            Throws.InstanceOf<InvalidValueException>().With.Message.EqualTo("sessions: has null at index 1."));
        await Assert.ThatAsync(() => Sessions.InsertAsync((NewAuditSession)null!), Throws.ArgumentNullException);

        Assert.That(await Sessions.GetAsync(first), Is.Null);
    }

    [TestCase("HTTP://EXAMPLE.org", "http://example.org/")]
    [TestCase("  https://example.org/  ", "https://example.org/")]
    [TestCase("https://example.org:443/a", "https://example.org/a")]
    [TestCase("http://example.org:80?q", "http://example.org/?q")]
    [TestCase("http://example.org:443/", "http://example.org:443/")]
    [TestCase("https://example.org/a/./b/../c/%2e%2E/d", "https://example.org/a/d")]
    [TestCase("https://example.org/%7Euser/%41%2F?q=%c3%a9", "https://example.org/~user/A%2F?q=%C3%A9")]
    [TestCase("https://example.org/a b?c d", "https://example.org/a%20b?c%20d")]
    [TestCase("https://example.org/100%", "https://example.org/100%25")]
    [TestCase("https://example.org/a/%/%2e%2e/b", "https://example.org/a/b")]
    [TestCase("https://example.org/%2%41%7e", "https://example.org/%252A~")]
    [TestCase("https://BÜCHER.example/straße?q=ü", "https://bücher.example/stra%C3%9Fe?q=%C3%BC")]
    [TestCase("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/")]
    [TestCase("https://example.org/😀?#\u202e", "https://example.org/%F0%9F%98%80?#%E2%80%AE")]
    [TestCase("https://example.org/a#b?c", "https://example.org/a#b?c")]
    [TestCase("https://example.org/#/cart", "https://example.org/#/cart")]
    [TestCase("https://example.org/#", "https://example.org/")]
    [TestCase("https://[0:0::1]/", "https://[::1]/")]
    public async Task A_url_is_stored_in_its_canonical_form_with_its_fragment(string given, string kept)
    {
        var enqueued = await Sessions.InsertAsync(Session(given));

        Assert.That(enqueued.Url, Is.EqualTo(kept));
        Assert.That(Session(kept).Url, Is.EqualTo(kept), "it is its own canonical form");
    }

    [Test]
    public async Task A_url_with_credentials_is_refused_and_the_error_has_its_index_and_no_password()
    {
        string[] urls = ["https://example.org/", "https://example.org/#/login", "https://me:hush@example.org/"];

        var exception = await Assert.ThrowsAsync<InvalidValueException>(() => Sessions.InsertAsync(urls.Select(url => Session(url))));

        Assert.That(exception!.Message, Is.EqualTo(
            "url: has credentials before its host, which every reader of the session would see; remove them (index 2 of sessions)."));
    }

    [Test]
    [TestCase("https://me:hush@Example.org/a@b#c@d", "https://Example.org/a@b#c@d")]
    [TestCase("https://me@example.org", "https://example.org")]
    [TestCase("https://example.org/?mail=a@b.c", "https://example.org/?mail=a@b.c")]
    [TestCase("not a URL: me:hush@example.org", "not a URL: me:hush@example.org")]
    public void A_found_url_loses_its_credentials_and_nothing_else(string given, string kept) => Assert.That(
        (new AuditFindings { FinalUrl = given }.FinalUrl, new AuditFindings { PdpUrl = given }.PdpUrl), Is.EqualTo((kept, kept)));

    /// <summary>An export and an import pass a URL through its property again.</summary>
    [Test]
    public void A_normalized_url_is_its_own_normal_form_whatever_the_text_is()
    {
        string[] parts =
        [
            "%", "%2", "%2e", "%2E", "%2f", "%5c", "%25", "%252e", "%00", "%c3", "%C3%A9", "%41", "%7e", "%E2%80%AE", "..", ".", "/", "//",
            "\\", "?", "#", "@", ":", "a", "1", "80", "é", "ü", "ß", "😀", "[", "]", "[::1]", " ", "\t", "|", "{", "<", "\"",
            "\u202e", "\u00ad", "\u3002", "\uff0e", "\u200d", "xn--", "0x7f",
        ];
        var random = new Random(13);
        var accepted = 0;
        for (var number = 0; number < 100_000; number++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 10)).Select(_ => parts[random.Next(parts.Length)]));
            var given = $"{(random.Next(2) == 0 ? "http" : "HTTPS")}://{(random.Next(3) == 0 ? "" : "example.org/")}{text}";
            if (Normalize(given) is { } normalized)
            {
                accepted++;
                Assert.That(Normalize(normalized), Is.EqualTo(normalized), given);
            }
        }

        Assert.That(accepted, Is.GreaterThan(50_000));

        static string? Normalize(string url)
        {
            try
            {
                return Session(url).Url;
            }
            catch (InvalidValueException)
            {
                return null;
            }
        }
    }

    [TestCaseSource(nameof(NoUrls))]
    public void Text_that_is_not_an_http_url_is_refused_by_its_property(string url) =>
        Assert.That(() => Session(url), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("url"));

    /// <summary>System.Uri removes characters that only control the direction of text, and accepts the URL.</summary>
    [TestCase("http://\u202e/")]
    [TestCase("https://\u200e:8443/a?b")]
    public void A_url_with_an_ignorable_host_is_refused(string url) =>
        Assert.That(() => Session(url), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("url"));

    [Test]
    public void An_invalid_value_is_refused_by_its_property() => Assert.Multiple(() =>
    {
        AssertRefused(() => Session("https://example.org/\ud83d"), "url");
        AssertRefused(() => Session("https://example.org/#\ude00"), "url");
        AssertRefused(() => Session() with { CrawlPolicyVersion = "" }, "crawl_policy_version");
        AssertRefused(() => Session() with { CrawlPolicyVersion = new string('x', 501) }, "crawl_policy_version");
        AssertRefused(() => Session() with { CrawlPolicyVersion = "a\0b" }, "crawl_policy_version");
        AssertRefused(() => Session() with { Mode = (AuditMode)3 }, "mode");
        AssertRefused(() => Session() with { RetentionPolicy = (RetentionPolicy)3 }, "retention_policy");
        AssertRefused(() => Session() with { CreatedAt = DateTimeOffset.MaxValue }, "created_at");
        AssertRefused(() => new AuditSessionFilter { CrawlPolicyVersion = "\ud83d" }, "crawl_policy_version");
        AssertRefused(() => new AuditSessionFilter { CreatedFrom = default(DateTimeOffset) }, "created_from");
        AssertRefused(() => new AuditSessionFilter { CreatedBefore = DateTimeOffset.MaxValue }, "created_before");
        AssertRefused(() => new AuditFindings { FinalUrl = "a\0b" }, "final_url");
        AssertRefused(() => new AuditFindings { PdpUrl = "\udc00" }, "pdp_url");
    });

    [Test]
    public async Task The_longest_policy_version_fits_whatever_its_characters()
    {
        var random = new Random(1);
        var characters = Enumerable.Range(0, NewAuditSession.LongestCrawlPolicyVersion).Select(_ => char.ConvertFromUtf32(random.Next(0x20000, 0x2A6DF)));
        var longest = string.Concat(characters);

        Assert.That((await Sessions.InsertAsync(Session() with { CrawlPolicyVersion = longest })).CrawlPolicyVersion, Is.EqualTo(longest));
    }

    [Test]
    public async Task An_unknown_session_is_null() => Assert.That(await Sessions.GetAsync(Guid.CreateVersion7()), Is.Null);

    private static IEnumerable<TestCaseData> Filters() =>
    [
        Filter("all", new AuditSessionFilter(), _ => true),
        Filter("one status", new AuditSessionFilter { Statuses = [AuditSessionStatus.Running] }, session => session.Status == AuditSessionStatus.Running),
        Filter(
            "statuses, one of them twice",
            new AuditSessionFilter { Statuses = [AuditSessionStatus.Partial, AuditSessionStatus.Queued, AuditSessionStatus.Partial] },
            session => session.Status is AuditSessionStatus.Queued or AuditSessionStatus.Partial),
        Filter("no status", new AuditSessionFilter { Statuses = [] }, _ => false),
        Filter("modes", new AuditSessionFilter { Modes = [AuditMode.Debug, AuditMode.Standard] }, session => session.Mode != AuditMode.EvidencePack),
        Filter("no mode", new AuditSessionFilter { Modes = [] }, _ => false),
        Filter("low confidence", new AuditSessionFilter { LowConfidence = true }, session => session.LowConfidence),
        Filter("no low confidence", new AuditSessionFilter { LowConfidence = false }, session => !session.LowConfidence),
        Filter("from", new AuditSessionFilter { CreatedFrom = Start.AddMinutes(3) }, session => session.CreatedAt >= Start.AddMinutes(3)),
        Filter("before", new AuditSessionFilter { CreatedBefore = Start.AddMinutes(3) }, session => session.CreatedAt < Start.AddMinutes(3)),
        Filter(
            "a time range in another offset, and more",
            new AuditSessionFilter
            {
                CreatedFrom = Start.AddMinutes(1).ToOffset(TimeSpan.FromHours(14)),
                CreatedBefore = Start.AddMinutes(5).ToOffset(TimeSpan.FromHours(-9.5)),
                Statuses = [AuditSessionStatus.Queued, AuditSessionStatus.Running, AuditSessionStatus.Completed],
                Modes = [AuditMode.Standard],
            },
            session => session.CreatedAt >= Start.AddMinutes(1) && session.CreatedAt < Start.AddMinutes(5)
                && session.Status <= AuditSessionStatus.Completed && session.Mode == AuditMode.Standard),
    ];

    [TestCaseSource(nameof(Filters))]
    public async Task Sessions_are_listed_and_counted_by_a_filter(AuditSessionFilter filter, Func<AuditSession, bool> fits)
    {
        var sessions = await InsertAsync(30);
        var version = sessions[0].CrawlPolicyVersion;
        filter = filter with { CrawlPolicyVersion = version };
        var expected = sessions.Where(fits).OrderBy(session => session.CreatedAt).ThenBy(session => session.Id).ToList();

        Assert.That((await Sessions.ListAsync(filter, order: ListOrder.OldestFirst)).Items, Is.EqualTo(expected));
        Assert.That((await Sessions.ListAsync(filter)).Items, Is.EqualTo(expected.AsEnumerable().Reverse()));
        Assert.That(await Sessions.CountByStatusAsync(filter), Is.EquivalentTo(Enum.GetValues<AuditSessionStatus>().Select(status =>
            KeyValuePair.Create(status, expected.LongCount(session => session.Status == status)))));
        Assert.That(
            await Sessions.CountByCrawlPolicyVersionAsync(filter),
            Is.EquivalentTo(expected.Take(1).Select(_ => KeyValuePair.Create(version, (long)expected.Count))));
    }

    [Test]
    public async Task Sessions_are_counted_by_the_version_of_their_policy()
    {
        var (one, other) = (await InsertAsync(3), await InsertAsync(4));

        var counts = await Sessions.CountByCrawlPolicyVersionAsync();

        Assert.That((counts[one[0].CrawlPolicyVersion], counts[other[0].CrawlPolicyVersion]), Is.EqualTo((3, 4)));
    }

    /// <summary>Four sessions share each time. Between two pages, the last session of a page is deleted and its first is started.</summary>
    [Test]
    public async Task Paging_returns_each_session_once_despite_concurrent_changes([Values] ListOrder order, [Values(1, 3, 20)] int pageSize)
    {
        var sessions = await InsertAsync(20);
        var filter = new AuditSessionFilter { CrawlPolicyVersion = sessions[0].CrawlPolicyVersion };
        var expected = sessions.OrderBy(session => session.CreatedAt).ThenBy(session => session.Id).Select(session => session.Id).ToList();
        if (order == ListOrder.NewestFirst)
        {
            expected.Reverse();
        }

        var seen = new List<Guid>();
        string? cursor = null;
        do
        {
            var page = await Sessions.ListAsync(filter, pageSize, cursor, order);
            Assert.That(page.Items, Has.Count.EqualTo(pageSize).Or.Count.EqualTo(expected.Count - seen.Count));
            seen.AddRange(page.Items.Select(session => session.Id));
            cursor = page.NextCursor;
            await Queue.StartAsync(seen[^page.Items.Count]);
            await Sessions.DeleteAsync(seen[^1]);
            await Sessions.InsertAsync(Session() with
            {
                CrawlPolicyVersion = filter.CrawlPolicyVersion!,
                CreatedAt = order == ListOrder.NewestFirst ? Start.AddDays(1) : Start.AddDays(-1),
            });
        }
        while (cursor is not null);

        Assert.That(seen, Is.EqualTo(expected));
    }

    [Test]
    public async Task A_cursor_continues_within_its_time_range([Values] ListOrder order)
    {
        var sessions = await InsertAsync(20);
        var filter = new AuditSessionFilter
        {
            CrawlPolicyVersion = sessions[0].CrawlPolicyVersion,
            CreatedFrom = Start.AddMinutes(1),
            CreatedBefore = Start.AddMinutes(4),
        };

        var first = await Sessions.ListAsync(filter, 5, order: order);
        var second = await Sessions.ListAsync(filter, 7, first.NextCursor, order);

        Assert.That(first.Items.Concat(second.Items), Is.EquivalentTo(sessions.Where(session => (session.CreatedAt - Start).TotalMinutes is >= 1 and < 4)));
        Assert.That((first.NextCursor is null, second.NextCursor), Is.EqualTo((false, (string?)null)));
    }

    [Test]
    public async Task A_page_size_out_of_range_is_refused([Values(-1, 0, AuditSessionRepository.MaxPageSize + 1)] int pageSize) =>
        await Assert.ThatAsync(
            () => Sessions.ListAsync(pageSize: pageSize), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("pageSize"));

    [TestCase("")]
    [TestCase("nonsense")]
    [TestCase("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [TestCase("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("____________________________________")]
    public async Task Text_that_is_not_a_cursor_is_a_typed_error(string cursor) =>
        await Assert.ThatAsync(() => Sessions.ListAsync(cursor: cursor), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("cursor"));

    [Test]
    public async Task An_undefined_order_is_refused() =>
        await Assert.ThatAsync(
            () => Sessions.ListAsync(order: (ListOrder)2), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("order"));

    [Test]
    public async Task Findings_are_recorded_during_the_attempt_and_after_its_end()
    {
        var id = await EnqueueAsync();
        var running = (await Queue.StartAsync(id)).EnsureApplied();

        await Queue.RecordFindingsAsync(id, 1, new AuditFindings { FinalUrl = "HTTPS://Example.org/#as-it-is" });
        await Queue.RecordFindingsAsync(id, 1, new AuditFindings { LowConfidence = true });
        await Queue.CompleteAsync(id, 1);
        await Queue.RecordFindingsAsync(id, 1, new AuditFindings { PdpUrl = "https://example.org/p", LowConfidence = false });
        var recorded = await Queue.RecordFindingsAsync(id, 1, new AuditFindings());

        Assert.That(recorded.EnsureApplied(), Is.EqualTo(running with
        {
            Status = AuditSessionStatus.Completed,
            FinalUrl = "HTTPS://Example.org/#as-it-is",
            PdpUrl = "https://example.org/p",
            LowConfidence = false,
        }));
        Assert.That(await Sessions.GetAsync(id), Is.EqualTo(recorded.Row));
    }

    [Test]
    public async Task Findings_of_another_attempt_are_refused([Values(0, 2)] int attempt)
    {
        var id = await EnqueueAsync();
        var running = (await Queue.StartAsync(id)).EnsureApplied();

        var refused = await Queue.RecordFindingsAsync(id, attempt, new AuditFindings { FinalUrl = "https://example.org/late", LowConfidence = true });

        Assert.That((refused.Outcome, refused.Row), Is.EqualTo((TransitionOutcome.Refused, running)));
        Assert.That(await Sessions.GetAsync(id), Is.EqualTo(running));
    }

    [Test]
    public async Task Deleting_a_session_deletes_only_its_own_pages_artifacts_and_lines()
    {
        var (gone, kept) = (await FilledAsync(), await FilledAsync());

        Assert.That(await Sessions.DeleteAsync(gone), Is.True);

        Assert.That(await Sessions.DeleteAsync(gone), Is.False);
        Assert.That(await CountRowsAsync(gone), Is.EqualTo((0, 0, 0)));
        Assert.That(await CountRowsAsync(kept), Is.EqualTo((2, 2, 3)));

        async Task<Guid> FilledAsync()
        {
            var session = await EnqueueAsync();
            var pages = await Pages.InsertAsync(session, [Page(), Page(PageType.Pdp, Viewport.Mobile)]);
            await Artifacts.InsertAsync(session, pages.Select(page => Artifact(page.Id)));
            await Logs.AppendAsync(session, [Line(1), Line(2), Line(3)]);
            return session;
        }

        async Task<(int Pages, int Artifacts, int Lines)> CountRowsAsync(Guid session) =>
            ((await Pages.ListAsync(session)).Count, (await Artifacts.ListAsync(session)).Count, (await Logs.ListAsync(session)).Items.Count);
    }

    [Test]
    public async Task Changes_in_a_caller_s_transaction_are_isolated_and_rolled_back_with_it()
    {
        var before = (await InsertAsync(3)).ToList();
        var filter = new AuditSessionFilter { CrawlPolicyVersion = before[0].CrawlPolicyVersion };
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        var enqueued = await Sessions.InsertAsync(Session() with { CrawlPolicyVersion = filter.CrawlPolicyVersion! }, transaction);
        await Queue.StartAsync(before[0].Id, transaction);
        var recorded = await Queue.RecordFindingsAsync(before[0].Id, 1, new AuditFindings { LowConfidence = true }, transaction);
        await Sessions.DeleteAsync(before[2].Id, transaction);

        Assert.That(await Sessions.GetAsync(before[0].Id, transaction), Is.EqualTo(recorded.EnsureApplied()));
        AuditSession[] inside = [enqueued, before[1], recorded.Row!];
        Assert.That((await Sessions.ListAsync(filter, transaction: transaction)).Items, Is.EquivalentTo(inside));
        Assert.That((await Sessions.CountByStatusAsync(filter, transaction))[AuditSessionStatus.Queued], Is.EqualTo(1));
        Assert.That((await Sessions.CountByCrawlPolicyVersionAsync(filter, transaction))[filter.CrawlPolicyVersion!], Is.EqualTo(3));
        Assert.That((await Sessions.ListAsync(filter)).Items, Is.EquivalentTo(before), "others do not see it yet");
        await transaction.RollbackAsync();
        Assert.That((await Sessions.ListAsync(filter)).Items, Is.EquivalentTo(before));
    }

    [Test]
    public async Task An_ended_transaction_is_refused_and_nothing_is_stored_outside_it([Values] bool disposed)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await transaction.CommitAsync();
        if (disposed)
        {
            await transaction.DisposeAsync();
        }

        await Assert.ThatAsync(
            () => Sessions.InsertAsync(Session() with { CrawlPolicyVersion = "of an ended transaction" }, transaction),
            Throws.InstanceOf<InvalidOperationException>());
        Assert.That((await Sessions.ListAsync(new AuditSessionFilter { CrawlPolicyVersion = "of an ended transaction" })).Items, Is.Empty);
    }

    private static TestCaseData Filter(string name, AuditSessionFilter filter, Func<AuditSession, bool> fits) =>
        new TestCaseData(filter, fits).SetArgDisplayNames(name);

    private static void AssertRefused(Func<object> make, string field) =>
        Assert.That(make, Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo(field));

    /// <summary>Inserts sessions of each kind with a policy version of their own, four at each time.</summary>
    private Task<IReadOnlyList<AuditSession>> InsertAsync(int count)
    {
        var version = $"{Guid.NewGuid()}";
        return Sessions.InsertAsync(
            [.. Enumerable.Range(0, count).Select(number => (new AuditSession
            {
                Id = Guid.NewGuid(),
                Url = $"https://example.org/{number}",
                Status = (AuditSessionStatus)(number % 5),
                CreatedAt = default,
                Mode = (AuditMode)(number % 3),
                RetentionPolicy = RetentionPolicy.Short,
                Attempts = 0,
                CrawlPolicyVersion = version,
                ConfigSnapshot = default,
                LowConfidence = number % 2 == 0,
            }, (Instant?)Instant.From(Start.AddMinutes(number / 4))))],
            AuditSessionRepository.Map,
            session => session.Id,
            null,
            CancellationToken.None);
    }
}
