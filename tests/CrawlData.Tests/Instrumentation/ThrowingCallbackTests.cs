using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using CrawlData.Crawls;
using CrawlData.Instrumentation;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Instrumentation;

/// <summary>Listeners and loggers of the application that throw. They throw for this fixture's database only, because others run beside it.</summary>
public sealed class ThrowingCallbackTests : EmptiedDatabaseTest
{

    private int thrown;

    public enum Callback
    {
        Measurement,
        Sample,
        ActivityStarted,
        ActivityStopped,
        IsEnabled,
        BeginScope,
        Log,
    }

    [SetUp]
    public void Forget() => thrown = 0;

    [Test]
    public async Task Every_operation_works_as_without_a_callback_that_throws([Values] Callback callback)
    {
        using var listeners = Listen(callback);

        await EndToEndScenario.RunAsync(
            Database.ConnectionString,
            configure: services => services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new LoggerProvider(this, callback))))
            .WaitAsync(Wait.Longest);

        Assert.That(thrown, callback == Callback.BeginScope ? Is.Zero : Is.GreaterThan(10), "the library begins no scope");
    }

    [Test]
    public async Task A_writer_stores_each_event_once_and_reports_its_errors_though_a_callback_throws([Values] Callback callback)
    {
        using var listeners = Listen(callback);
        var events = new CrawlEventRepository(DataSource, logger: new ThrowingLogger<CrawlEventRepository>(this, callback));
        await using var writer = new CrawlEventWriter(events, logger: new ThrowingLogger<CrawlEventWriter>(this, callback));
        var crawl = await CreateCrawlAsync();

        await writer.WriteAsync(crawl, Event(1));
        await writer.FlushAsync().WaitAsync(Wait.Longest);
        await writer.WriteAsync(Guid.CreateVersion7(), Event(2));
        await writer.WriteAsync(crawl, Event(3));
        await Assert.ThatAsync(() => writer.FlushAsync().WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(writer.TakeUnstored(), Has.Count.EqualTo(1));
        await writer.AppendAsync(crawl, Event(4)).WaitAsync(Wait.Longest);

        var stored = await Events.StreamAsync(crawl).Select(crawlEvent => crawlEvent.Payload).ToListAsync();
        Assert.That(stored, Is.EqualTo(new[] { Event(1).Payload, Event(3).Payload, Event(4).Payload }));
        Assert.That(thrown, callback == Callback.BeginScope ? Is.Zero : Is.GreaterThan(0));
    }

    [Test]
    public void A_logger_that_throws_for_a_scope_is_passed_over()
    {
        var logger = new ThrowingLogger<CrawlEventWriter>(this, Callback.BeginScope).Guarded();

        Assert.That(logger.BeginScope("a scope"), Is.Null);
        Assert.That(thrown, Is.EqualTo(1));
    }

    [Test]
    public async Task An_activity_that_failed_to_start_is_nobodys_parent([Values(Callback.ActivityStarted, Callback.ActivityStopped)] Callback callback)
    {
        using var listeners = Listen(callback);
        var telemetry = new Telemetry(DataSource, "crawl_events");
        using var before = new Activity("of the application").Start();

        var during = await telemetry.RunAsync("append", 1, () => Task.FromResult(Activity.Current));

        Assert.That(during == before, Is.EqualTo(callback == Callback.ActivityStarted));
        Assert.That(Activity.Current, Is.SameAs(before));
        Assert.That(thrown, Is.EqualTo(1));
    }

    /// <summary>Runs the static constructor of a second copy of the library, because the first copy's has run.</summary>
    [Test]
    public void Listeners_that_throw_when_instruments_are_made_leave_the_library_usable()
    {
        RuntimeHelpers.RunClassConstructor(typeof(Instruments).TypeHandle);
        var (armed, sources, instruments) = (false, 0, 0);
        using var activities = new ActivityListener
        {
            ShouldListenTo = source => armed && source.Name == "CrawlData" && ++sources > 0 ? throw new IOException("a listener") : false,
        };
        using var measurements = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (armed && instrument.Meter.Name == "CrawlData")
                {
                    instruments++;
                    throw new IOException("a listener");
                }
            },
        };
        ActivitySource.AddActivityListener(activities);
        measurements.Start();
        var copy = new AssemblyLoadContext("copy", isCollectible: true).LoadFromAssemblyPath(typeof(Instruments).Assembly.Location);

        armed = true;
        Assert.That(() => RuntimeHelpers.RunClassConstructor(copy.GetType(typeof(Instruments).FullName!)!.TypeHandle), Throws.Nothing);
        armed = false;

        var expected = typeof(Instruments).GetFields().Count(field => field.FieldType.IsAssignableTo(typeof(Instrument)));
        Assert.That((sources, instruments), Is.EqualTo((1, expected)));
    }

    private Listeners Listen(Callback callback) => new(this, callback);

    private bool IsOurs(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach (var (key, value) in tags)
        {
            if (key == "db.namespace")
            {
                return Equals(value, new NpgsqlConnectionStringBuilder(Database.ConnectionString).Database);
            }
        }

        return false;
    }

    private void Throw()
    {
        Interlocked.Increment(ref thrown);
        throw new IOException("a callback");
    }

    private sealed class Listeners : IDisposable
    {
        private readonly MeterListener measurements = new();
        private readonly ActivityListener activities;

        public Listeners(ThrowingCallbackTests test, Callback callback)
        {
            activities = new ActivityListener
            {
                ShouldListenTo = source => source.Name == "CrawlData",
                Sample = (ref ActivityCreationOptions<ActivityContext> options) =>
                {
                    ThrowIf(Callback.Sample, [.. options.Tags ?? []]);
                    return ActivitySamplingResult.AllData;
                },
                ActivityStarted = activity => ThrowIf(Callback.ActivityStarted, [.. activity.TagObjects]),
                ActivityStopped = activity => ThrowIf(Callback.ActivityStopped, [.. activity.TagObjects]),
            };
            measurements.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "CrawlData")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            measurements.SetMeasurementEventCallback<long>((_, _, tags, _) => ThrowIf(Callback.Measurement, tags));
            measurements.SetMeasurementEventCallback<double>((_, _, tags, _) => ThrowIf(Callback.Measurement, tags));
            ActivitySource.AddActivityListener(activities);
            measurements.Start();

            void ThrowIf(Callback which, ReadOnlySpan<KeyValuePair<string, object?>> tags)
            {
                if (callback == which && test.IsOurs(tags))
                {
                    test.Throw();
                }
            }
        }

        public void Dispose()
        {
            measurements.Dispose();
            activities.Dispose();
        }
    }

    private sealed class LoggerProvider(ThrowingCallbackTests test, Callback callback) : ILoggerProvider
    {
        // The host's own loggers do not throw.
        public ILogger CreateLogger(string categoryName) =>
            new ThrowingLogger<CrawlEventRepository>(test, categoryName.Split('.')[0] is "CrawlData" or "Npgsql" ? callback : null);

        public void Dispose()
        {
        }
    }

    private sealed class ThrowingLogger<T>(ThrowingCallbackTests test, Callback? callback) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull
        {
            ThrowIf(Callback.BeginScope);
            return null;
        }

        public bool IsEnabled(LogLevel logLevel)
        {
            ThrowIf(Callback.IsEnabled);
            return true;
        }

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            ThrowIf(Callback.Log);

        private void ThrowIf(Callback which)
        {
            if (callback == which)
            {
                test.Throw();
            }
        }
    }
}
