using System.Globalization;
using System.Text;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Tests;

public sealed class InstantTests : DatabaseTest
{
    /// <summary>Times that PostgreSQL takes, and the texts that exports have for them.</summary>
    private static readonly (string Sql, string Text, bool IsReadable)[] Times =
    [
        ("2026-11-23 00:18:58.819+00", "2026-11-23T00:18:58.819Z", true),
        ("1999-12-31 23:59:59.999999+00", "1999-12-31T23:59:59.999999Z", true),
        ("2000-02-29 00:00:00+00", "2000-02-29T00:00:00.000Z", true),
        ("0001-01-01 00:00:00+00", "0001-01-01T00:00:00.000Z", true),
        ("9999-12-31 23:59:59.999999+00", "9999-12-31T23:59:59.999999Z", true),
        ("10000-01-01 00:00:00+00", "10000-01-01T00:00:00.000Z", false),
        ("31300-02-28 12:00:00.000001+00", "31300-02-28T12:00:00.000001Z", false),
        ("294276-12-31 23:59:59.999999+00", "294276-12-31T23:59:59.999999Z", false),
        ("0001-12-31 23:59:59.999999+00 BC", "0001-12-31T23:59:59.999999Z BC", false),
        ("0044-03-15 12:00:00+00 BC", "0044-03-15T12:00:00.000Z BC", false),
        ("4713-01-01 00:00:00+00 BC", "4713-01-01T00:00:00.000Z BC", false),
        ("infinity", "infinity", false),
        ("-infinity", "-infinity", false),
    ];

    [Test]
    public async Task Every_time_of_the_server_is_read_exactly_and_written_as_a_text_that_both_read()
    {
        await using var read = DataSource.CreateCommand("select $1::timestamptz, $2::timestamptz");
        read.Parameters.Add(new NpgsqlParameter<string> { TypedValue = "" });
        read.Parameters.Add(new NpgsqlParameter<string> { TypedValue = "" });
        foreach (var (sql, text, isReadable) in Times)
        {
            ((NpgsqlParameter<string>)read.Parameters[0]).TypedValue = sql;
            ((NpgsqlParameter<string>)read.Parameters[1]).TypedValue = text;
            await using var reader = await read.ExecuteReaderAsync();
            await reader.ReadAsync();
            var instant = reader.GetInstant(0);

            Assert.That((instant.ToString(), instant.IsReadable, instant.IsValid), Is.EqualTo((text, isReadable, true)));
            Assert.That(ToUtf8(instant), Is.EqualTo(text));
            Assert.That(reader.GetInstant(1), Is.EqualTo(instant), $"the server reads {text}");
            Assert.That(
                Instant.TryParseUnreadable(text, out var parsed) ? parsed : Instant.From(DateTimeOffset.Parse(text, CultureInfo.InvariantCulture)),
                Is.EqualTo(instant),
                $"an import reads {text}");
        }
    }

    [Test]
    public void A_time_is_written_in_UTF_8_as_in_a_text()
    {
        var random = new Random(1);
        foreach (var readable in Enumerable.Range(0, 10_000).Select(_ => random.NextInt64(DateTime.MaxValue.Ticks)))
        {
            var instant = Instant.From(new DateTimeOffset(readable - (readable % (random.Next(2) == 0 ? 10_000 : 10)), TimeSpan.Zero));

            Assert.That(ToUtf8(instant), Is.EqualTo($"{instant}"));
        }

        Assert.That(new Instant(0).TryFormat(new byte[27], out _, "", null), Is.False, "no room");
    }

    [TestCase("294277-01-01T00:00:00.000Z")]
    [TestCase("999999-01-01T00:00:00.000Z")]
    [TestCase("4715-01-01T00:00:00.000Z BC")]
    [TestCase("0000-01-01T00:00:00.000Z BC")]
    [TestCase("10000-02-30T00:00:00.000Z")]
    [TestCase("10000-01-01T00:00:00.000")]
    [TestCase("Infinity")]
    [TestCase("")]
    public void A_text_that_is_no_time_of_the_server_is_not_parsed(string text) => Assert.That(Instant.TryParseUnreadable(text, out _), Is.False);

    [Test]
    public void A_time_is_cut_to_microseconds([Values(-11, -10, -1, 0, 9, 10)] int ticks)
    {
        var epoch = new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

        Assert.That(Instant.From(epoch.AddTicks(ticks)).Microseconds, Is.EqualTo((long)Math.Floor(ticks / 10.0)));
    }

    private static string ToUtf8(Instant instant)
    {
        var utf8 = new byte[40];
        Assert.That(instant.TryFormat(utf8, out var written, "", null));
        return Encoding.UTF8.GetString(utf8, 0, written);
    }
}
