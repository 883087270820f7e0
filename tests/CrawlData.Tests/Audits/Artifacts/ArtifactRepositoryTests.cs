using System.Data;
using CrawlData.Audits;
using Npgsql;

namespace CrawlData.Tests.Audits;

public class ArtifactRepositoryTests : DatabaseTest
{
    private static readonly DateTimeOffset Start = new(2026, 1, 5, 1, 30, 0, TimeSpan.Zero);

    [Test]
    public async Task An_artifact_is_inserted_with_every_column_given()
    {
        var (session, page) = await SessionWithPageAsync();
        var given = new NewArtifact
        {
            Id = Guid.NewGuid(),
            PageId = page,
            Type = ArtifactType.HtmlGz,
            StorageUri = "'; drop table artifacts; -- 😀",
            SizeBytes = 5_000_000_000_000,
            Checksum = "",
            CreatedAt = Start.AddTicks(19).ToOffset(TimeSpan.FromHours(-9.5)),
            RetentionUntil = Start.AddDays(1).ToOffset(TimeSpan.FromHours(5.75)),
        };

        var inserted = await Artifacts.InsertAsync(session, given);

        Assert.That(inserted, Is.EqualTo(new Artifact
        {
            Id = given.Id!.Value,
            SessionId = session,
            PageId = page,
            Type = ArtifactType.HtmlGz,
            StorageUri = "'; drop table artifacts; -- 😀",
            SizeBytes = 5_000_000_000_000,
            CreatedAt = Start.AddTicks(10),
            RetentionUntil = Start.AddDays(1),
            Checksum = "",
        }));
        Assert.That((inserted.CreatedAt.Offset, inserted.RetentionUntil!.Value.Offset), Is.EqualTo((TimeSpan.Zero, TimeSpan.Zero)));
        Assert.That(await Artifacts.GetAsync(session, inserted.Id), Is.EqualTo(inserted));
    }

    [Test]
    public async Task Omitted_columns_get_their_defaults()
    {
        var (session, page) = await SessionWithPageAsync();

        var inserted = await Artifacts.InsertAsync(session, Artifact(page));

        Assert.That((inserted.Id.Version, inserted.DeletedAt, inserted.Checksum), Is.EqualTo((7, (DateTimeOffset?)null, (string?)null)));
        Assert.That(inserted.CreatedAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
    }

    /// <summary>The result does not depend on the sessions' time zone, whose clocks change within the retention.</summary>
    [Test]
    public async Task An_artifact_is_retained_as_its_session_s_policy_says(
        [Values] RetentionPolicy policy, [Values] bool byOptions, [Values(3, 9)] int month)
    {
        var durations = byOptions
            ? new RetentionDurations { Standard = TimeSpan.FromDays(100.25), Short = TimeSpan.FromMicroseconds(1), Long = TimeSpan.FromDays(36_500) }
            : new RetentionDurations();
        var expected = (policy, byOptions) switch
        {
            (RetentionPolicy.Standard, false) => TimeSpan.FromDays(90),
            (RetentionPolicy.Short, false) => TimeSpan.FromDays(14),
            (RetentionPolicy.Long, false) => TimeSpan.FromDays(365),
            (RetentionPolicy.Standard, true) => durations.Standard,
            (RetentionPolicy.Short, true) => durations.Short,
            _ => durations.Long,
        };
        var (session, page) = await SessionWithPageAsync(policy);
        var createdAt = new DateTimeOffset(2026, month, 25, 13, 0, 0, TimeSpan.Zero);

        var artifacts = new ArtifactRepository(DataSource, retention: byOptions ? durations : null);
        var inserted = await artifacts.InsertAsync(session, Artifact(page) with { CreatedAt = createdAt });

        Assert.That(inserted.RetentionUntil, Is.EqualTo(createdAt + expected));
    }

    [Test]
    public async Task An_explicit_retention_time_overrides_the_policy()
    {
        var (session, page) = await SessionWithPageAsync(RetentionPolicy.Short);
        var summer = new DateTimeOffset(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

        var inserted = await Artifacts.InsertAsync(
            session,
            [
                Artifact(page) with { CreatedAt = summer, RetentionUntil = summer.AddYears(-1) },
                Artifact(page) with { CreatedAt = summer, KeepForever = true },
                Artifact(page) with { CreatedAt = summer },
            ]);

        Assert.That(inserted.Select(artifact => artifact.RetentionUntil), Is.EqualTo(new DateTimeOffset?[] { summer.AddYears(-1), null, summer.AddDays(14) }));
        await Assert.ThatAsync(
            () => Artifacts.InsertAsync(session, Artifact(page) with { KeepForever = true, RetentionUntil = summer }),
            Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("retention_until"));
        Assert.That(await Artifacts.ListAsync(session), Has.Count.EqualTo(3));
    }

    /// <summary>Goes red when such a row is stored: the session's artifacts then cannot be read.</summary>
    [Test]
    public async Task A_retention_time_after_the_last_year_is_refused()
    {
        var (session, page) = await SessionWithPageAsync();

        await Assert.ThatAsync(
            () => Artifacts.InsertAsync(session, Artifact(page) with { CreatedAt = new DateTimeOffset(9999, 12, 1, 0, 0, 0, TimeSpan.Zero) }),
            Throws.InstanceOf<InvalidValueException>());

        Assert.That(await Artifacts.ListAsync(session), Is.Empty);
    }

    [Test]
    public async Task A_batch_of_artifacts_is_returned_in_its_order()
    {
        var (session, page) = await SessionWithPageAsync();

        var inserted = await Artifacts.InsertAsync(session, Enumerable.Range(1, 500).Select(number => Artifact(page, number)));

        Assert.That(inserted.Select(artifact => artifact.SizeBytes), Is.EqualTo(Enumerable.Range(1, 500)));
        Assert.That(await Artifacts.InsertAsync(Guid.CreateVersion7(), []), Is.Empty, "nothing to insert is nothing done");
    }

    [Test]
    public async Task A_page_of_another_session_and_an_unknown_page_are_refused_in_a_usable_transaction()
    {
        var (session, page) = await SessionWithPageAsync();
        var (other, foreign) = await SessionWithPageAsync();
        var unknown = Guid.CreateVersion7();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        await Assert.ThrowsAsync<RowNotFoundException>(() => Artifacts.InsertAsync(session, Artifact(foreign), transaction));
        var exception = await Assert.ThrowsAsync<RowNotFoundException>(
            () => Artifacts.InsertAsync(session, [Artifact(page), Artifact(foreign), Artifact(unknown), Artifact(foreign)], transaction));
        await Artifacts.InsertAsync(session, Artifact(page, 7), transaction);
        await transaction.CommitAsync();

        Assert.That(exception!.Table, Is.EqualTo("audit_pages"));
        Assert.That(exception.Ids, Is.EquivalentTo(new[] { foreign, unknown }));
        Assert.That((await Artifacts.ListAsync(session)).Select(artifact => artifact.SizeBytes), Is.EqualTo(new[] { 7 }));
        Assert.That(await Artifacts.ListAsync(other), Is.Empty);
    }

    [Test]
    public async Task A_duplicate_id_or_a_null_inserts_nothing()
    {
        var (session, page) = await SessionWithPageAsync();
        var taken = (await Artifacts.InsertAsync(session, Artifact(page))).Id;

        var exception = await Assert.ThrowsAsync<RowAlreadyExistsException>(
            () => Artifacts.InsertAsync(session, [Artifact(page), Artifact(page) with { Id = taken }]));
        await Assert.ThatAsync(
            () => Artifacts.InsertAsync(session, [Artifact(page), null!]),
            Throws.InstanceOf<InvalidValueException>().With.Message.EqualTo("artifacts: has null at index 1."));
        await Assert.ThatAsync(() => Artifacts.InsertAsync(session, (NewArtifact)null!), Throws.ArgumentNullException);

        Assert.That((exception!.Table, exception.Ids.Count), Is.EqualTo(("artifacts", 2)));
        Assert.That(exception.Ids, Does.Contain(taken));
        Assert.That(await Artifacts.ListAsync(session), Has.Count.EqualTo(1));
    }

    [Test]
    public void An_invalid_value_is_refused_by_its_property()
    {
        var artifact = Artifact(Guid.NewGuid());

        Assert.Multiple(() =>
        {
            AssertRefused(() => artifact with { Type = (ArtifactType)4 }, "type");
            AssertRefused(() => artifact with { StorageUri = "" }, "storage_uri");
            AssertRefused(() => artifact with { StorageUri = "s3://a\0" }, "storage_uri");
            AssertRefused(() => artifact with { SizeBytes = -1 }, "size_bytes");
            AssertRefused(() => artifact with { Checksum = "\ud83d" }, "checksum");
            AssertRefused(() => artifact with { CreatedAt = default(DateTimeOffset) }, "created_at");
            AssertRefused(() => artifact with { RetentionUntil = DateTimeOffset.MaxValue }, "retention_until");
            AssertOutOfRange(() => new RetentionDurations { Standard = TimeSpan.Zero }, "Standard");
            AssertOutOfRange(() => new RetentionDurations { Short = TimeSpan.FromTicks(-1) }, "Short");
            AssertOutOfRange(() => new RetentionDurations { Long = TimeSpan.FromDays(36_500) + TimeSpan.FromTicks(1) }, "Long");
        });

        static void AssertOutOfRange(Func<object> make, string name) =>
            Assert.That(make, Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo(name));

        static void AssertRefused(Func<object> make, string field) =>
            Assert.That(make, Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo(field));
    }

    private static IEnumerable<TestCaseData> Filters() =>
    [
        Filter("none", null, artifact => artifact.DeletedAt is null),
        Filter("also deleted", new ArtifactFilter { IncludeDeleted = true }, _ => true),
        Filter(
            "types",
            new ArtifactFilter { Types = [ArtifactType.HtmlGz, ArtifactType.Screenshot], IncludeDeleted = true },
            artifact => artifact.Type is ArtifactType.HtmlGz or ArtifactType.Screenshot),
        Filter("a type", new ArtifactFilter { Types = [ArtifactType.HtmlGz] }, artifact => artifact is { Type: ArtifactType.HtmlGz, DeletedAt: null }),
        Filter("no type", new ArtifactFilter { Types = [], IncludeDeleted = true }, _ => false),
    ];

    /// <summary>The sizes identify the artifacts: 1 to 40, two at each time, every third one deleted.</summary>
    [TestCaseSource(nameof(Filters))]
    public async Task Artifacts_are_listed_and_totalled_by_a_filter(ArtifactFilter? filter, Func<Artifact, bool> fits)
    {
        var (session, page) = await SessionWithPageAsync();
        var otherPage = (await Pages.InsertAsync(session, Page())).Id;
        var (foreign, foreignPage) = await SessionWithPageAsync();
        await Artifacts.InsertAsync(foreign, Artifact(foreignPage));
        var inserted = await Artifacts.InsertAsync(session, Enumerable.Range(1, 40).Select(number => Artifact(number % 5 < 2 ? page : otherPage, number) with
        {
            Id = Guid.NewGuid(),
            Type = (ArtifactType)(number % 4),
            CreatedAt = Start.AddMinutes(-(number / 2)),
        }));
        await Artifacts.MarkDeletedAsync(session, inserted.Where(artifact => artifact.SizeBytes % 3 == 0).Select(artifact => artifact.Id));
        var all = await Task.WhenAll(inserted.Select(artifact => Artifacts.GetAsync(session, artifact.Id)));

        foreach (var pageId in new Guid?[] { null, page, otherPage, foreignPage })
        {
            var ofPage = pageId is null ? filter : (filter ?? new ArtifactFilter()) with { PageId = pageId };
            var expected = all.OfType<Artifact>().Where(artifact => fits(artifact) && (pageId ?? artifact.PageId) == artifact.PageId)
                .OrderBy(artifact => artifact.CreatedAt).ThenBy(artifact => artifact.Id).ToList();

            Assert.That(await Artifacts.ListAsync(session, ofPage), Is.EqualTo(expected));
            Assert.That(await Artifacts.TotalByTypeAsync(session, ofPage), Is.EquivalentTo(Enum.GetValues<ArtifactType>().Select(type =>
                KeyValuePair.Create(type, new ArtifactTotal
                {
                    Count = expected.Count(artifact => artifact.Type == type),
                    SizeBytes = expected.Where(artifact => artifact.Type == type).Sum(artifact => artifact.SizeBytes),
                }))));
        }
    }

    /// <summary>Reads in one snapshot, which excludes the rows of the other cases.</summary>
    [Test]
    public async Task Artifacts_are_totalled_over_all_sessions([Values] bool includeDeleted)
    {
        var ((one, onePage), (other, otherPage)) = (await SessionWithPageAsync(), await SessionWithPageAsync());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        var before = await Artifacts.TotalAllByTypeAsync(includeDeleted, transaction);

        var deleted = await Artifacts.InsertAsync(one, Artifact(onePage, 100), transaction);
        await Artifacts.MarkDeletedAsync(one, [deleted.Id], transaction);
        await Artifacts.InsertAsync(one, Artifact(onePage, 20), transaction);
        await Artifacts.InsertAsync(other, Artifact(otherPage, 3) with { Type = ArtifactType.FeaturesJson }, transaction);

        var after = await Artifacts.TotalAllByTypeAsync(includeDeleted, transaction);
        Assert.That(
            Enum.GetValues<ArtifactType>().Select(type => (after[type].Count - before[type].Count, after[type].SizeBytes - before[type].SizeBytes)),
            Is.EqualTo(new[] { includeDeleted ? (2, 120) : (1, 20), (0, 0), (1, 3), (0, 0) }));
    }

    /// <summary>In one transaction, whose time stands still, and in one snapshot, which excludes the rows of the other cases.</summary>
    [NotOnCitus]
    [Test]
    public async Task Artifacts_that_have_expired_and_that_expire_soon_are_listed_in_pages_and_totalled()
    {
        var ((one, onePage), (other, otherPage)) = (await SessionWithPageAsync(), await SessionWithPageAsync());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        await using var clock = new NpgsqlCommand("select now()", connection, transaction);
        var now = new DateTimeOffset((DateTime)(await clock.ExecuteScalarAsync())!);
        var (week, microsecond) = (TimeSpan.FromDays(7), TimeSpan.FromMicroseconds(1));
        var before = await Artifacts.TotalExpiringAsync(week, transaction);

        Artifact[] expired = [await InsertAsync(-week, 1, isOther: true), await InsertAsync(-microsecond, 2), await InsertAsync(TimeSpan.Zero, 4)];
        Artifact[] soon = [await InsertAsync(microsecond, 8, isOther: true), await InsertAsync(week / 2, 16), await InsertAsync(week, 32)];
        await InsertAsync(week + microsecond, 64);
        await Artifacts.InsertAsync(one, Artifact(onePage, 128) with { KeepForever = true }, transaction);
        var (deletedId, deletedSoonId) = ((await InsertAsync(-week, 256)).Id, (await InsertAsync(week / 2, 512)).Id);
        await Artifacts.MarkDeletedAsync(one, [deletedId, deletedSoonId], transaction);

        var total = await Artifacts.TotalExpiringAsync(week, transaction);
        Assert.That((total.Count - before.Count, total.SizeBytes - before.SizeBytes), Is.EqualTo((3, 56)));
        Assert.That(await ListAllAsync(cursor => Artifacts.ListExpiredAsync(2, cursor, transaction)), Is.EqualTo(expired));
        Assert.That(await ListAllAsync(cursor => Artifacts.ListExpiringAsync(week, 2, cursor, transaction)), Is.EqualTo(soon));
        var foreign = (await Artifacts.ListExpiredAsync(1, null, transaction)).NextCursor;
        await Assert.ThrowsAsync<InvalidValueException>(() => Artifacts.ListExpiringAsync(week, 1, foreign, transaction));

        Task<Artifact> InsertAsync(TimeSpan fromNow, int size, bool isOther = false) => Artifacts.InsertAsync(
            isOther ? other : one, Artifact(isOther ? otherPage : onePage, size) with { RetentionUntil = now + fromNow }, transaction);

        async Task<List<Artifact>> ListAllAsync(Func<string?, Task<Page<Artifact>>> list)
        {
            var (all, page) = (new List<Artifact>(), await list(null));
            for (all.AddRange(page.Items); page.NextCursor is { } next; all.AddRange(page.Items))
            {
                page = await list(next);
            }

            return [.. all.Where(artifact => artifact.SessionId == one || artifact.SessionId == other)];
        }
    }

    [Test]
    public async Task Artifacts_are_marked_as_deleted_once_and_only_in_their_session()
    {
        var (session, page) = await SessionWithPageAsync();
        var (other, otherPage) = await SessionWithPageAsync();
        var mine = await Artifacts.InsertAsync(session, [Artifact(page), Artifact(page), Artifact(page)]);
        var foreign = await Artifacts.InsertAsync(other, Artifact(otherPage));

        Assert.That(await Artifacts.MarkDeletedAsync(session, [mine[0].Id, mine[1].Id, mine[1].Id, foreign.Id, Guid.NewGuid()]), Is.EqualTo(2));
        var marked = await Artifacts.GetAsync(session, mine[0].Id);
        Assert.That(await Artifacts.MarkDeletedAsync(session, [mine[0].Id, mine[2].Id]), Is.EqualTo(1));

        Assert.That(marked!.DeletedAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
        Assert.That(await Artifacts.GetAsync(session, mine[0].Id), Is.EqualTo(marked), "it stays as it was marked first");
        Assert.That(await Artifacts.GetAsync(other, foreign.Id), Is.EqualTo(foreign));
        Assert.That(await Artifacts.GetAsync(other, mine[0].Id), Is.Null, "it is another session's");
    }

    [Test]
    public async Task Changes_in_a_caller_s_transaction_are_isolated_and_rolled_back_with_it()
    {
        var (session, page) = await SessionWithPageAsync();
        var before = await Artifacts.InsertAsync(session, Artifact(page));
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        var inserted = await Artifacts.InsertAsync(session, Artifact(page, 2), transaction);
        await Artifacts.MarkDeletedAsync(session, [before.Id], transaction);

        Assert.That(await Artifacts.ListAsync(session, transaction: transaction), Is.EqualTo(new[] { inserted }));
        Assert.That(await Artifacts.GetAsync(session, inserted.Id, transaction), Is.EqualTo(inserted));
        Assert.That((await Artifacts.TotalByTypeAsync(session, null, transaction))[ArtifactType.Screenshot].SizeBytes, Is.EqualTo(2));
        await transaction.RollbackAsync();
        Assert.That(await Artifacts.ListAsync(session), Is.EqualTo(new[] { before }));
    }

    private static TestCaseData Filter(string name, ArtifactFilter? filter, Func<Artifact, bool> fits) =>
        new TestCaseData(filter, fits).SetArgDisplayNames(name);

    private async Task<(Guid Session, Guid Page)> SessionWithPageAsync(RetentionPolicy policy = RetentionPolicy.Standard)
    {
        var session = (await Sessions.InsertAsync(Session() with { RetentionPolicy = policy })).Id;
        return (session, (await Pages.InsertAsync(session, Page())).Id);
    }
}
