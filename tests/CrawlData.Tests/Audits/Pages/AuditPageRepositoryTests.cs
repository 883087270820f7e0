using CrawlData.Audits;
using Npgsql;

namespace CrawlData.Tests.Audits;

public class AuditPageRepositoryTests : DatabaseTest
{
    [Test]
    public async Task A_page_is_inserted_with_every_column_given()
    {
        var session = await EnqueueAsync();
        var given = new NewAuditPage
        {
            Id = Guid.NewGuid(),
            PageType = PageType.Pdp,
            Viewport = Viewport.Mobile,
            Status = PageStatus.Failed,
            LoadTimings = Jsonb.Parse("""{"load_ms": 12.5}"""),
            LowConfidenceReasons = Jsonb.Parse("""["'; drop table audit_pages; --", "😀"]"""),
        };

        var inserted = await Pages.InsertAsync(session, given);

        Assert.That(inserted, Is.EqualTo(new AuditPage
        {
            Id = given.Id!.Value,
            SessionId = session,
            PageType = PageType.Pdp,
            Viewport = Viewport.Mobile,
            Status = PageStatus.Failed,
            LoadTimings = given.LoadTimings,
            LowConfidenceReasons = given.LowConfidenceReasons,
        }));
        Assert.That(await Pages.GetAsync(session, inserted.Id), Is.EqualTo(inserted));
    }

    [Test]
    public async Task A_page_requires_only_its_type_and_viewport()
    {
        var inserted = await Pages.InsertAsync(await EnqueueAsync(), Page());

        Assert.That((inserted.Id.Version, inserted.Status), Is.EqualTo((7, PageStatus.Pending)));
        Assert.That((inserted.LoadTimings, inserted.LowConfidenceReasons), Is.EqualTo((Jsonb.Parse("{}"), Jsonb.Parse("[]"))));
    }

    [Test]
    public async Task A_batch_of_pages_is_returned_in_its_order_and_listed_by_type_viewport_and_id()
    {
        var session = await EnqueueAsync();
        await Pages.InsertAsync(await EnqueueAsync(), Page());
        var given = Enumerable.Range(0, 12).Select(number => Page((PageType)(number % 2), (Viewport)(number / 2 % 2)) with { Id = Guid.NewGuid() }).ToList();

        var inserted = await Pages.InsertAsync(session, given);
        var listed = inserted.OrderBy(page => page.PageType).ThenBy(page => page.Viewport).ThenBy(page => page.Id).ToList();

        Assert.That(inserted.Select(page => page.Id), Is.EqualTo(given.Select(page => page.Id)));
        Assert.That(await Pages.ListAsync(session), Is.EqualTo(listed));
        foreach (var (types, viewports) in new (PageType[]?, Viewport[]?)[]
        {
            ([PageType.Pdp], null), (null, [Viewport.Desktop]), ([PageType.Homepage], [Viewport.Mobile, Viewport.Desktop]), ([], null), (null, []),
        })
        {
            Assert.That(
                await Pages.ListAsync(session, new AuditPageFilter { PageTypes = types, Viewports = viewports }),
                Is.EqualTo(listed.Where(page => types?.Contains(page.PageType) != false && viewports?.Contains(page.Viewport) != false)));
        }
    }

    [Test]
    public async Task Pages_of_an_unknown_session_are_refused_in_a_usable_transaction()
    {
        var (known, unknown) = (await EnqueueAsync(), Guid.CreateVersion7());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        var exception = await Assert.ThrowsAsync<RowNotFoundException>(() => Pages.InsertAsync(unknown, Page(), transaction));
        await Assert.ThrowsAsync<RowNotFoundException>(() => Pages.InsertAsync([(known, Page()), (unknown, Page())], transaction, CancellationToken.None));
        await Pages.InsertAsync(known, Page(), transaction);
        await transaction.CommitAsync();

        Assert.That((exception!.Table, exception.Ids), Is.EqualTo(("audit_sessions", new[] { unknown })));
        Assert.That(await Pages.ListAsync(known), Has.Count.EqualTo(1));
        Assert.That(await Pages.InsertAsync(unknown, []), Is.Empty, "nothing to insert is nothing done");
    }

    [Test]
    public async Task A_session_deleted_concurrently_causes_the_server_s_error()
    {
        var session = await EnqueueAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Sessions.DeleteAsync(session, transaction);

        var inserting = Pages.InsertAsync(session, Page());
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await transaction.CommitAsync();

        await Assert.ThatAsync(() => inserting, Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo("23503"));
    }

    [Test]
    public async Task A_duplicate_id_or_a_null_inserts_nothing()
    {
        var session = await EnqueueAsync();
        var taken = (await Pages.InsertAsync(session, Page())).Id;

        var exception = await Assert.ThrowsAsync<RowAlreadyExistsException>(() => Pages.InsertAsync(session, [Page(), Page() with { Id = taken }]));
        await Assert.ThatAsync(
            () => Pages.InsertAsync(session, [Page(), null!]), Throws.InstanceOf<InvalidValueException>().With.Message.EqualTo("pages: has null at index 1."));
        await Assert.ThatAsync(() => Pages.InsertAsync(session, (NewAuditPage)null!), Throws.ArgumentNullException);

        Assert.That((exception!.Table, exception.Ids.Count), Is.EqualTo(("audit_pages", 2)));
        Assert.That(exception.Ids, Does.Contain(taken));
        Assert.That(await Pages.ListAsync(session), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Setting_a_status_stores_the_given_measurements_and_keeps_the_others()
    {
        var session = await EnqueueAsync();
        var page = await Pages.InsertAsync(session, Page() with { LoadTimings = Jsonb.Parse("""{"load_ms": 1}""") });
        var other = await Pages.InsertAsync(session, Page());

        var ok = (await Pages.SetStatusAsync(session, page.Id, PageStatus.Ok, lowConfidenceReasons: Jsonb.Parse("""["slow"]"""))).EnsureApplied();
        var failed = (await Pages.SetStatusAsync(session, page.Id, PageStatus.Failed, loadTimings: Jsonb.Parse("null"))).EnsureApplied();

        Assert.That(ok, Is.EqualTo(page with { Status = PageStatus.Ok, LowConfidenceReasons = Jsonb.Parse("""["slow"]""") }));
        Assert.That(failed, Is.EqualTo(ok with { Status = PageStatus.Failed, LoadTimings = Jsonb.Parse("null") }));
        Assert.That(await Pages.GetAsync(session, page.Id), Is.EqualTo(failed));
        Assert.That(await Pages.GetAsync(session, other.Id), Is.EqualTo(other));
    }

    [Test]
    public async Task A_page_of_another_session_is_not_found()
    {
        var (owner, other) = (await EnqueueAsync(), await EnqueueAsync());
        var page = await Pages.InsertAsync(owner, Page());

        var transition = await Pages.SetStatusAsync(other, page.Id, PageStatus.Ok);

        Assert.That((transition.Id, transition.Outcome, transition.Row), Is.EqualTo((page.Id, TransitionOutcome.NotFound, (AuditPage?)null)));
        Assert.That(transition.EnsureApplied, Throws.InstanceOf<RowNotFoundException>().With.Message.EqualTo($"There is no page {page.Id}."));
        Assert.That(await Pages.GetAsync(other, page.Id), Is.Null);
        Assert.That(await Pages.GetAsync(owner, page.Id), Is.EqualTo(page));
    }

    [Test]
    public void An_undefined_enum_value_is_refused_by_its_property() => Assert.Multiple(() =>
    {
        Assert.That(() => Page((PageType)2), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("page_type"));
        Assert.That(() => Page(viewport: (Viewport)2), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("viewport"));
        Assert.That(() => Page() with { Status = (PageStatus)3 }, Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("status"));
    });

    [Test]
    public async Task Changes_in_a_caller_s_transaction_are_isolated_and_rolled_back_with_it()
    {
        var session = await EnqueueAsync();
        var before = await Pages.InsertAsync(session, Page());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        var inserted = await Pages.InsertAsync(session, Page(PageType.Pdp), transaction);
        var set = (await Pages.SetStatusAsync(session, before.Id, PageStatus.Ok, transaction: transaction)).EnsureApplied();

        Assert.That(await Pages.ListAsync(session, transaction: transaction), Is.EqualTo(new[] { set, inserted }));
        Assert.That(await Pages.GetAsync(session, inserted.Id, transaction), Is.EqualTo(inserted));
        await transaction.RollbackAsync();
        Assert.That(await Pages.ListAsync(session), Is.EqualTo(new[] { before }));
    }
}
