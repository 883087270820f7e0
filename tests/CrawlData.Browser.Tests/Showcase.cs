using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Browser.Tests;

/// <summary>Rows that show each state that a page can be in, as real crawls and audits leave them.</summary>
internal static class Showcase
{
    public const string Yesterday = "0195a3b0-0000-7000-8000-000000000001";
    public const string Today = "0195a3b0-0000-7000-8000-000000000002";
    public const string Running = "0195a3b0-0000-7000-8000-000000000003";
    public const string Stale = "0195a3b0-0000-7000-8000-000000000004";
    public const string Failed = "0195a3b0-0000-7000-8000-000000000005";
    public const string Retry = "0195a3b0-0000-7000-8000-000000000006";
    public const string Cancelled = "0195a3b0-0000-7000-8000-000000000007";
    public const string Pending = "0195a3b0-0000-7000-8000-000000000008";
    public const string Unicode = "0195a3b0-0000-7000-8000-000000000009";
    public const string LongNames = "0195a3b0-0000-7000-8000-00000000000a";

    public const string Audit = "0195a3b0-0000-7000-8000-000000000011";
    public const string FailedAudit = "0195a3b0-0000-7000-8000-000000000012";
    public const string StaleAudit = "0195a3b0-0000-7000-8000-000000000014";
    public const string PartialAudit = "0195a3b0-0000-7000-8000-000000000016";
    public const string LongAudit = "0195a3b0-0000-7000-8000-000000000017";
    public const string QueuedAudit = "0195a3b0-0000-7000-8000-000000000015";

    /// <summary>The ids of an ordinary event, and of one with a large payload of every kind of value.</summary>
    public const long Event = 1_000_021;
    public const long LargeEvent = 2_000_001;

    /// <summary>Each kind of page, by its name.</summary>
    public static readonly Dictionary<string, ShownPage> Pages = new()
    {
        ["overview"] = new(""),
        ["runs"] = new("runs"),
        ["runs-failed"] = new("runs?status=FAILED"),
        ["runs-none"] = new("runs?app=org.example.none"),
        ["run"] = new($"runs/{Failed}"),
        ["run-running"] = new($"runs/{Running}"),
        ["run-stale"] = new($"runs/{Stale}"),
        ["run-retry"] = new($"runs/{Retry}"),
        ["run-pending"] = new($"runs/{Pending}"),
        ["run-unicode"] = new($"runs/{Unicode}"),
        ["run-long"] = new($"runs/{LongNames}"),
        ["run-oldest"] = new($"runs/{Today}?order=oldest&type=screen"),
        ["run-stats"] = new($"runs/{Today}?tab=stats"),
        ["event"] = new($"runs/{Yesterday}/events/{Event}"),
        ["event-large"] = new($"runs/{Unicode}/events/{LargeEvent}"),
        ["compare"] = new($"compare?run={Yesterday}&run={Today}"),
        ["compare-none"] = new($"compare?run={Yesterday}&run={Today}&key=missing"),
        ["sessions"] = new("sessions"),
        ["session"] = new($"sessions/{Audit}"),
        ["session-failed"] = new($"sessions/{FailedAudit}"),
        ["session-partial"] = new($"sessions/{PartialAudit}"),
        ["session-queued"] = new($"sessions/{QueuedAudit}"),
        ["session-long"] = new($"sessions/{LongAudit}"),
        ["artifacts"] = new("artifacts"),
        ["status"] = new("status"),
        ["not-found"] = new($"runs/{Guid.Empty}", 404),
        ["wrong-parameter"] = new("runs?size=0", 400),
        ["operator-run"] = new($"runs/{Running}?tab=events", IsForOperators: true),
        ["operator-run-screens"] = new($"runs/{Today}", IsForOperators: true),
        ["operator-run-steps"] = new($"runs/{Today}?tab=steps", IsForOperators: true),
        ["operator-run-cancel"] = new($"runs/{Running}/cancel", IsForOperators: true),
        ["operator-run-cancel-refused"] = new($"runs/{Today}/cancel", IsForOperators: true),
        ["operator-run-fail"] = new($"runs/{Stale}/fail", IsForOperators: true),
        ["operator-run-retry"] = new($"runs/{LongNames}/retry", IsForOperators: true),
        ["operator-session"] = new($"sessions/{StaleAudit}", IsForOperators: true),
        ["operator-session-pictures"] = new($"sessions/{Audit}", IsForOperators: true),
        ["operator-session-fail"] = new($"sessions/{StaleAudit}/fail", IsForOperators: true),
        ["operator-session-requeue"] = new($"sessions/{LongAudit}/requeue", IsForOperators: true),
        ["operator-no-artifact"] = new($"runs/{Unicode}/events/{LargeEvent}/artifact", 404, IsForOperators: true),
    };

    public static IEnumerable<string> Names => Pages.Keys;

    private const string LongError =
        """
        CheckoutPageTimeoutException: the button “Pay now” did not become enabled within 30 s.
        Selector: //android.widget.FrameLayout/android.widget.LinearLayout[2]/android.widget.Button[@resource-id="org.example.bank:id/pay"]
           at Crawler.Steps.Tap(Selector selector, TimeSpan limit) in Steps.cs:line 118
           at Crawler.Journeys.Checkout.RunAsync(Session session) in Checkout.cs:line 64
           at Crawler.Runner.RunAsync(CancellationToken cancellationToken) in Runner.cs:line 212
        Caused by: the overlay “We value your privacy” covers it.
        """;

    private const string Runs =
        """
        insert into crawl_runs (id, status, app_package, device_config, max_steps, goal, created_at, started_at, completed_at, cancelled_at, error_message)
        select ('0195a3b0-0000-7000-8000-' || lpad(id, 12, '0'))::uuid, status::crawl_status, app, device::jsonb, 300, goal,
            now - created::interval, now - started::interval, now - completed::interval, now - cancelled::interval, error
        from (select now() at time zone 'utc' as now) as clock cross join (values
            ('1', 'COMPLETED', 'org.example.shop', '25 hours', '1499 minutes', '1485 minutes', null,
                'Walk the catalogue, and put one article into the cart', '{"os": "Android 15", "model": "Pixel 8", "locale": "en-GB"}', null),
            ('2', 'COMPLETED', 'org.example.shop', '61 minutes', '60 minutes', '44 minutes', null,
                'Walk the catalogue, and put one article into the cart', '{"os": "Android 16", "model": "Pixel 8", "locale": "en-GB"}', null),
            ('3', 'RUNNING', 'org.example.shop', '5 minutes', '4 minutes', null, null,
                'Walk the catalogue, and put one article into the cart', '{"os": "Android 16", "model": "Pixel 9", "locale": "de-DE"}', null),
            ('4', 'RUNNING', 'org.example.travel', '3 hours', '170 minutes', null, null, 'Book a return journey', '{"os": "iOS 19"}', null),
            ('5', 'FAILED', 'org.example.bank', '2 hours', '119 minutes', '111 minutes', null,
                'Open an account, up to the signature', '{"os": "Android 15", "model": "Galaxy S24", "locale": "fr-FR"}', @error),
            ('6', 'COMPLETED', 'org.example.bank', '110 minutes', '109 minutes', '95 minutes', null,
                'Open an account, up to the signature', '{"os": "Android 15", "model": "Galaxy S24", "locale": "fr-FR"}', null),
            ('7', 'CANCELLED', 'org.example.news', '6 hours', '359 minutes', null, '350 minutes', null, null, null),
            ('8', 'PENDING', 'org.example.news', '30 seconds', null, null, null, 'Read the first article of each section', null, null),
            ('9', 'FAILED', 'org.example.магазин', '26 hours', '1550 minutes', '1540 minutes', null,
                'تصفح الكتالوج وأضف منتجًا إلى السلة 🛒 カタログを見る', '{"locale": "ar-EG", "名前": "テスト端末 📱"}', 'عنصر غير موجود: زر الدفع 🧨'),
            ('a', 'FAILED', rpad('org.example.', 255, 'averyveryverylongpackagename'), '27 hours', '27 hours', '26 hours', null,
                repeat('unbroken', 80), null, repeat('0123456789abcdef', 40))
        ) as run (id, status, app, created, started, completed, cancelled, goal, device, error);

        insert into crawl_run_retries (run_id, retry_of, attempt)
        values ('0195a3b0-0000-7000-8000-000000000006', '0195a3b0-0000-7000-8000-000000000005', 2);

        -- Enough for a second page.
        insert into crawl_runs (id, status, app_package, goal, created_at, started_at, completed_at)
        select gen_random_uuid(), 'COMPLETED', 'org.example.news', 'Read the first article of each section', at, at + interval '3 s', at + interval '7 min'
        from (select now() at time zone 'utc' - interval '2 days' - number * interval '6 hours' as at from generate_series(1, 70) as number) as run;
        """;

    // Between yesterday's crawl and today's one article went, one came, and one has another price.
    private const string Events =
        """
        insert into crawl_events (id, crawl_id, event_type, payload, created_at)
        select first + number, ('0195a3b0-0000-7000-8000-' || lpad(run, 12, '0'))::uuid, (array['screen', 'step', 'network', 'log'])[number % 4 + 1],
            case number % 4
                when 0 then jsonb_build_object(
                    'url', '/catalogue/article-' || number, 'title', 'Article ' || number,
                    'price', case when run = '2' and number = 100 then 24.50 else 19.90 end, 'artifact_uri', 's3://crawls/shop/' || number || '.png')
                when 1 then jsonb_build_object('action', 'tap', 'target', '//button[@id="article-' || number || '"]', 'x', 540, 'y', 1180 + number)
                when 2 then jsonb_build_object('method', 'GET', 'status', 200, 'ms', number * 37 % 400, 'bytes', number * 911)
                else jsonb_build_object('level', 'debug', 'message', 'idle after ' || number || ' frames')
            end,
            now() at time zone 'utc' - age + number * pace
        from (values
            ('1', 1000000, 240, 200, interval '1499 minutes', interval '3.456789 seconds'),
            ('2', 1010000, 240, 120, interval '60 minutes', interval '3.456789 seconds'),
            ('3', 1020000, 78, 0, interval '4 minutes', interval '3 seconds'),
            ('4', 1030000, 61, 0, interval '170 minutes', interval '30 seconds'),
            ('5', 1040000, 120, 0, interval '119 minutes', interval '4 seconds'),
            ('6', 1050000, 200, 0, interval '109 minutes', interval '4 seconds'),
            ('7', 1060000, 12, 0, interval '359 minutes', interval '20 seconds')
        ) as crawl (run, first, count, missing, age, pace)
        cross join lateral generate_series(1, count) as number
        where number <> missing;

        insert into crawl_events (id, crawl_id, event_type, payload)
        values
            (2000001, '0195a3b0-0000-7000-8000-000000000009', 'экран', @payload),
            (2000002, '0195a3b0-0000-7000-8000-000000000009', '画面', '"テキスト"'),
            (2000003, '0195a3b0-0000-7000-8000-000000000009', 'null', 'null'),
            (2000004, '0195a3b0-0000-7000-8000-000000000009', 'number', '-1234567890123456789012345678901234567890.000100'),
            (2000005, '0195a3b0-0000-7000-8000-00000000000a', repeat('e', 50), to_jsonb(repeat('unbroken', 500)));

        select setval('crawl_events_id_seq', 3000000);
        """;

    private const string Audits =
        """
        insert into audit_sessions (
            id, status, url, final_url, mode, retention_policy, attempts, error_summary, crawl_policy_version, config_snapshot, low_confidence, pdp_url,
            created_at)
        select ('0195a3b0-0000-7000-8000-' || lpad(id, 12, '0'))::uuid, status::audit_session_status_enum, url, final_url, mode::audit_mode_enum, 'standard',
            attempts, error, '2026.11', '{"timeout_ms": 30000, "viewports": ["desktop", "mobile"], "respect_robots": true, "user_agent": "example-audit/2.1"}',
            low, product, now() - created::interval
        from (values
            ('11', 'completed', 'https://shop.example/', 'https://www.shop.example/en/', 'standard', 1, null, false,
                'https://www.shop.example/en/p/espresso-machine-4711', '2 hours'),
            ('12', 'failed', 'https://shoes.example/', null, 'evidence_pack', 3,
                E'The consent dialog could not be closed.\nNo button matched “accept” in 12 languages.', false, null, '90 minutes'),
            ('13', 'running', 'https://books.example/', null, 'standard', 1, null, false, null, '1 minute'),
            ('14', 'running', 'https://garden.example/', null, 'debug', 2, null, false, null, '5 hours'),
            ('15', 'queued', 'https://music.example/', null, 'standard', 0, null, false, null, '40 minutes'),
            ('16', 'partial', 'https://пример.example/каталог?фильтр=да', 'https://пример.example/', 'standard', 2, 'mobile: the page stayed blank', true,
                'https://пример.example/товар/1', '3 hours'),
            ('17', 'failed', 'https://long.example/' || repeat('path/', 60) || '?q=' || repeat('x', 300), null, 'debug', 9, repeat('unbroken', 60), true, null,
                '4 hours')
        ) as session (id, status, url, final_url, mode, attempts, error, low, product, created);

        insert into audit_sessions (id, status, url, mode, retention_policy, attempts, crawl_policy_version, config_snapshot, created_at)
        select gen_random_uuid(), 'completed', 'https://shop-' || number || '.example/', 'standard', 'long', 1, '2026.10', '{}',
            now() - interval '1 day' - number * interval '50 minutes'
        from generate_series(1, 70) as number;

        insert into audit_pages (id, session_id, page_type, viewport, status, load_timings, low_confidence_reasons)
        select ('0195a3b0-0000-7000-8000-' || lpad('2' || number, 12, '0'))::uuid, ('0195a3b0-0000-7000-8000-0000000000' || session)::uuid,
            type::page_type_enum, viewport::viewport_enum, status::page_status_enum,
            jsonb_build_object('started_at', '2026-11-27T08:30:00Z', 'dom_content_loaded_ms', 640 + number * 17, 'load_ms', 1480 + number * 91),
            reasons::jsonb
        from (values
            (1, '11', 'homepage', 'desktop', 'ok', '[]'), (2, '11', 'homepage', 'mobile', 'ok', '[]'),
            (3, '11', 'pdp', 'desktop', 'ok', '[]'), (4, '11', 'pdp', 'mobile', 'failed', '["price not found", "two candidates for the main image"]'),
            (5, '12', 'homepage', 'desktop', 'failed', '[]'), (6, '14', 'homepage', 'desktop', 'pending', '[]'),
            (7, '16', 'homepage', 'mobile', 'failed', '{"blank": true, "reason": "тёмный экран"}')
        ) as page (number, session, type, viewport, status, reasons);

        insert into artifacts (session_id, page_id, type, storage_uri, size_bytes, checksum, created_at, retention_until, deleted_at)
        select session_id, id, type::artifact_type_enum, 's3://audits/2026/11/' || id || '/' || type, size, 'sha256:' || repeat('ab', 32),
            now() - interval '2 hours', now() + kept::interval, now() + deleted::interval
        from audit_pages cross join (values
            ('screenshot', 412345, '30 days', null), ('visible_text', 8123, '5 days', null), ('features_json', 2210, '-1 hour', null),
            ('html_gz', 98234, null, null), ('screenshot', 401222, '-2 days', '-1 day')
        ) as artifact (type, size, kept, deleted);

        insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
        select ('0195a3b0-0000-7000-8000-0000000000' || session)::uuid, level::log_level_enum, type::event_type_enum, message, details::jsonb,
            now() - age::interval
        from (values
            ('11', 'info', 'navigation', 'opened https://www.shop.example/en/', '{"status": 200, "redirects": 1}', '119 minutes'),
            ('11', 'warn', 'popup', 'closed a newsletter dialog', '{"selector": "#newsletter .close"}', '118 minutes'),
            ('11', 'info', 'artifact', 'stored a screenshot', '{"bytes": 412345}', '117 minutes'),
            ('12', 'info', 'navigation', 'opened https://shoes.example/', '{"status": 200}', '89 minutes'),
            ('12', 'warn', 'retry', 'attempt 2: the consent dialog is still open', '{}', '85 minutes'),
            ('12', 'error', 'error', E'The consent dialog could not be closed.\nNo button matched “accept” in 12 languages.',
                '{"languages": 12, "candidates": ["Manage options", "Reject", "More information"], "screenshot": "s3://audits/consent.png"}',
                '80 minutes'),
            ('13', 'info', 'navigation', 'opened https://books.example/', '{"status": 200}', '5 seconds'),
            ('14', 'error', 'timeout', 'no answer for 60 s', '{}', '4 hours'),
            ('16', 'error', 'error', 'صفحة فارغة 🕳️ пустая страница', '{"экран": "тёмный"}', '170 minutes'),
            ('17', 'error', 'error', repeat('unbroken', 200), to_jsonb(repeat('x', 900)), '230 minutes')
        ) as line (session, level, type, message, details, age);

        insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
        select '0195a3b0-0000-7000-8000-000000000011', 'info', 'navigation', 'scrolled to ' || number * 400 || ' px', '{}',
            now() - interval '116 minutes' + number * interval '1 second'
        from generate_series(1, 80) as number;
        """;

    // A value of each kind, with digits that a number of JavaScript would lose.
    private const string Payload =
        """
        {"id": 9007199254740993, "price": 19.900, "tiny": 1e-400, "title": "Ürün — 商品 — منتج 👩‍💻", "tags": ["neu", "sale", null, true, false, []], "seller":
        {"name": "Łódź Szwalnia", "rating": 4.80, "address": {"street": "1 Rue de l'Église", "zip": "75 001", "geo": [48.85837009999999, 2.2944813000000001]}},
        "description": "Line one.\nLine two, which is rather long, so that a window of a phone has to break it somewhere, and does so between two words."}
        """;

    /// <summary>Inserts the rows into an empty database.</summary>
    public static async Task InsertAsync(NpgsqlDataSource dataSource)
    {
        foreach (var sql in new[] { Runs, Events, Audits })
        {
            await using var command = dataSource.CreateCommand(sql);
            if (sql == Runs)
            {
                command.Parameters.AddWithValue("error", LongError);
            }
            else if (sql == Events)
            {
                command.Parameters.AddWithValue("payload", NpgsqlDbType.Jsonb, Payload);
            }

            await command.ExecuteNonQueryAsync();
        }
    }
}
