using System.Reflection;
using System.Runtime.Loader;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using CrawlData.Audits;
using CrawlData.Crawls;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Tests;

public sealed partial class JsonbTests : DatabaseTest
{
    private static readonly string[] Good =
    [
        "null", "true", " [1, 2.50, -3e-7, 1E2] ", """{"a": {"b": [null, "é", "\u00e9", "\ud83d\ude00", "\\u0000", "\"\\\\"]}}""", "\"\"", "1e308", "5e-324",
        "0.00000000000000001", "123456789012345678901234567890", """{"a": 1, "a": 2}""", "\"\u007f\ufffd\"", "-0", "\"\ud83d\ude00\"",
    ];

    private static readonly string[] Bad =
    [
        "", " ", "{", "nul", "[1,]", "{'a': 1}", "[1] 2", "// c\n1", "\"a\nb\"", "01", "+1", "1.", "NaN", "\ufeff1",
        "\"\\u0000\"", "{\"\\u0000\": 1}", "\"a\\ud83d\"", "\"\\ude00\\ud83d\"", "\"\\ud83dx\\ude00\"", "\"\\ud83d\\ud83d\\ude00\"", "\"a\ud83d\"", "\"\0\"",
        "1e130000", "1e140000", "-1E+1001", "1e-20000", "0e999999999999999999", "[1, {\"a\": 1e1001}]",
    ];

    /// <summary>PostgreSQL itself parses each value, so the test does not guess what it accepts.</summary>
    [TestCaseSource(nameof(Good))]
    public async Task Accepted_JSON_is_read_back_equal_from_PostgreSQL(string json)
    {
        var value = Jsonb.Parse(json);

        await using var command = DataSource.CreateCommand("select $1");
        command.Parameters.Add(new NpgsqlParameter { Value = value.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
        var back = Jsonb.FromDatabase(Encoding.UTF8.GetBytes((string)(await command.ExecuteScalarAsync())!));

        if (json.Contains("\"a\": 1, \"a\": 2", StringComparison.Ordinal))
        {
            Assert.That(back, Is.EqualTo(Jsonb.Parse("""{"a": 2}""")), "the last of two equal keys wins");
        }
        else
        {
            Assert.That(back, Is.EqualTo(value));
            Assert.That(back.GetHashCode(), Is.EqualTo(value.GetHashCode()));
        }
    }

    /// <summary>With few hash codes, <c>Distinct</c> compares each value with each other one.</summary>
    [Test]
    public void Values_that_differ_little_seldom_share_a_hash_code()
    {
        var families = new Func<int, string>[]
        {
            number => $"{number}",
            number => $"-{number}.5",
            number => $"1e{(number % 3 == 0 ? "-" : "")}{number % 900}",
            number => $"\"{number}\"",
            number => $"[1, {number}]",
            number => $"[{number}, 1]",
            number => $$"""{"url": "https://example.org/", "number": {{number}}}""",
            number => $$"""{"{{number}}": 1}""",
            number => $$$"""{"a": {"b": [{"c": {{{number}}}}]}}""",
            number => $"{new string('[', (number % 400) + 1)}{new string(']', (number % 400) + 1)}",
        };

        Assert.Multiple(() =>
        {
            foreach (var (index, family) in families.Index())
            {
                var values = Enumerable.Range(1, 2_000).Select(number => Jsonb.Parse(family(number), new JsonbOptions { MaxDepth = 1_000 })).ToList();
                var distinct = values.Select(value => value.ToString()).Distinct().Count();
                Assert.That(values.Select(value => value.GetHashCode()).Distinct().Count(), Is.GreaterThan(distinct * 0.99), $"family {index}");
            }
        });
    }

    [TestCase("1E2", "100", "100.00", "0.1e3", "1000e-1")]
    [TestCase("-0.0", "0", "0e5", "0.000E-7")]
    [TestCase("-2.50", "-25e-1", "-2.5")]
    [TestCase("""{"a": 1, "b": [2.0, "é"]}""", """{"b":[2,"\u00e9"],"\u0061":1.0}""")]
    [TestCase("""{"a": {}, "b": []}""", """{ "b" : [ ] , "a" : { } }""")]
    public void Equal_values_share_a_hash_code(params string[] texts)
    {
        var values = texts.Select(text => Jsonb.Parse(text)).ToList();

        Assert.That(values, Is.All.EqualTo(values[0]));
        Assert.That(values.Select(value => value.GetHashCode()), Is.All.EqualTo(values[0].GetHashCode()));
        Assert.That(values.Distinct().Count(), Is.EqualTo(1));
    }

    /// <summary>The same parts in another place are another value.</summary>
    [Test]
    public void Values_of_the_same_parts_have_different_hash_codes()
    {
        string[] texts =
        [
            "null", "true", "false", "0", "1", "-1", "10", "0.1", "11", "\"\"", "\"1\"", "[]", "[[]]", "[[], []]", "{}", "[{}]", "[1, 2]", "[2, 1]", "[[1], 2]",
            "[1, [2]]", """{"a": 1}""", """{"a": 1, "b": 2}""", """{"a": 2, "b": 1}""", """{"a": {"b": 1}}""", """{"b": {"a": 1}}""", """["a", 1]""",
        ];

        Assert.That(texts.Select(text => Jsonb.Parse(text).GetHashCode()), Is.Unique);
    }

    /// <summary>The switch is read once in a process. So a second copy of the library and of System.Text.Json reads it here.</summary>
    [Test]
    public void Where_reflection_is_off_From_says_so()
    {
        const string Switch = "System.Text.Json.JsonSerializer.IsReflectionEnabledByDefault";
        Assert.That(JsonSerializer.IsReflectionEnabledByDefault, Is.True);
        var context = new AssemblyLoadContext("trimmed", isCollectible: true);
        context.LoadFromAssemblyPath(typeof(JsonSerializer).Assembly.Location);
        var from = context.LoadFromAssemblyPath(typeof(Jsonb).Assembly.Location).GetType(typeof(Jsonb).FullName!)!.GetMethods()
            .First(method => method.Name == nameof(Jsonb.From) && method.GetParameters()[1].Name == "serializerOptions")
            .MakeGenericMethod(typeof(object));
        AppContext.SetSwitch(Switch, false);
        try
        {
            Assert.That(
                () => from.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [1, null, null], null),
                Throws.InstanceOf<NotSupportedException>().With.Message.Contains("reflection, which is turned off").And.Message.Contains("JsonTypeInfo"));
        }
        finally
        {
            AppContext.SetSwitch(Switch, true);
            context.Unload();
        }
    }

    /// <summary>Another writer may have stored a larger one.</summary>
    [Test]
    public void A_value_from_the_database_that_is_too_large_is_refused_on_every_way_in()
    {
        var large = Jsonb.FromDatabase(Encoding.UTF8.GetBytes($"\"{new string('x', JsonbOptions.LargestMaxBytes)}\""));

        AssertRefused(() => new NewCrawlEvent { EventType = "a", Payload = large }, "payload");
        AssertRefused(() => new NewCrawlRun { AppPackage = "a", DeviceConfig = large }, "device_config");
        AssertRefused(() => new NewAuditSession { Url = "http://a", CrawlPolicyVersion = "1", ConfigSnapshot = large }, "config_snapshot");
        AssertRefused(() => new NewAuditPage { PageType = PageType.Pdp, Viewport = Viewport.Desktop, LoadTimings = large }, "load_timings");
        AssertRefused(
            () => new NewAuditPage { PageType = PageType.Pdp, Viewport = Viewport.Desktop, LowConfidenceReasons = large }, "low_confidence_reasons");
        AssertRefused(
            () => new NewCrawlLog { Level = CrawlLogLevel.Info, EventType = CrawlLogEventType.Popup, Message = "a", Details = large }, "details");

        static void AssertRefused(Func<object> make, string field) =>
            Assert.That(make, Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo(field).And.Message.Contains("the limit is"));
    }

    [TestCaseSource(nameof(Bad))]
    public void JSON_that_PostgreSQL_refuses_or_expands_is_refused(string json)
    {
        var exception = Assert.Throws<InvalidValueException>(() => Jsonb.Parse(json));
        Assert.That(exception!.Field, Is.EqualTo("json"));
        Assert.That(exception.InnerException, Is.Null, "its message would quote the text");
        if (!json.Any(char.IsSurrogate))
        {
            Assert.That(() => Jsonb.Parse(Encoding.UTF8.GetBytes(json)), Throws.InstanceOf<InvalidValueException>());
        }
    }

    [Test]
    public void Bytes_that_are_not_UTF_8_are_refused() =>
        Assert.That(() => Jsonb.Parse([.. "\"a"u8, 0xC3, 0x28, .. "\""u8]), Throws.InstanceOf<InvalidValueException>().With.Message.Contains("UTF-8"));

    [Test]
    public void An_exception_of_a_serialized_object_s_property_is_not_wrapped() =>
        Assert.That(() => Jsonb.From(new Throwing("of the application")), Throws.InstanceOf<ArgumentException>().With.Message.EqualTo("of the application"));

    [Test]
    public void Depth_and_size_limits_can_be_set()
    {
        var deep = new string('[', 65) + new string(']', 65);

        Assert.Multiple(() =>
        {
            Assert.That(() => Jsonb.Parse(deep), Throws.InstanceOf<InvalidValueException>().With.Message.Contains("64 levels"));
            Assert.That(() => Jsonb.Parse(deep[1..^1]), Throws.Nothing);
            Assert.That(() => Jsonb.Parse(deep, new JsonbOptions { MaxDepth = 65 }), Throws.Nothing);
            Assert.That(
                () => Jsonb.Parse("\"12345678\"", new JsonbOptions { MaxBytes = 9 }),
                Throws.InstanceOf<InvalidValueException>().With.Message.Contains("10 bytes"));
            Assert.That(() => Jsonb.Parse("\"12345678\"", new JsonbOptions { MaxBytes = 10 }), Throws.Nothing);
            Assert.That(
                () => new JsonbOptions { MaxDepth = 0 }, Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("MaxDepth"));
            Assert.That(
                () => new JsonbOptions { MaxBytes = int.MaxValue },
                Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("MaxBytes"));
        });
    }

    /// <summary>PostgreSQL would expand the value to 140 times its size, and could not return it.</summary>
    [Test]
    public void Small_numbers_that_expand_beyond_the_size_limit_are_refused()
    {
        var numbers = "[" + string.Join(',', Enumerable.Repeat("1e999", 20_000)) + "]";

        Assert.That(() => Jsonb.Parse(numbers), Throws.InstanceOf<InvalidValueException>().With.Message.Contains("written out"));
        Assert.That(() => Jsonb.Parse(numbers, new JsonbOptions { MaxBytes = 21_000_000 }), Throws.Nothing);
    }

    [Test]
    public async Task JSON_of_the_deepest_limit_is_read_back()
    {
        var deepest = Jsonb.Parse(new string('[', 1_000) + new string(']', 1_000), new JsonbOptions { MaxDepth = JsonbOptions.LargestMaxDepth });

        var created = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", DeviceConfig = deepest });

        Assert.That(created.DeviceConfig, Is.EqualTo(deepest));
        Assert.That(created.DeviceConfig!.Value.ToElement().GetArrayLength(), Is.EqualTo(1));
    }

    [TestCase("\"a\\u0000b\"", "\"a\ufffdb\"")]
    [TestCase("{\"k\\u0000\": \"\\\\u0000\"}", "{\"k\ufffd\": \"\\\\u0000\"}")]
    [TestCase("\"\\ud83d\\ude00 \\ud83d \\ude00\"", "\"😀 \ufffd \ufffd\"")]
    [TestCase("\"\\ud83d\\ud83d\\ude00\"", "\"\ufffd😀\"")]
    public void Repair_replaces_escapes_that_cannot_be_stored(string json, string repaired)
    {
        Assert.That(Jsonb.Parse(json, new JsonbOptions { Repair = true }), Is.EqualTo(Jsonb.Parse(repaired)));
        Assert.That(Jsonb.Parse(Encoding.UTF8.GetBytes(json), new JsonbOptions { Repair = true }), Is.EqualTo(Jsonb.Parse(repaired)));
    }

    [Test]
    public void Repair_replaces_raw_text_that_cannot_be_stored()
    {
        var options = new JsonbOptions { Repair = true };

        Assert.Multiple(() =>
        {
            Assert.That(Jsonb.Parse("\"a\0b\ud83dc\"", options), Is.EqualTo(Jsonb.Parse("\"a\ufffdb\ufffdc\"")));
            Assert.That(Jsonb.Parse([.. "\"a"u8, 0, 0xFF, .. "b\""u8], options), Is.EqualTo(Jsonb.Parse("\"a\ufffd\ufffdb\"")));
            Assert.That(Jsonb.From(new { text = "a\0b\ud83dc" }, options: options), Is.EqualTo(Jsonb.Parse("{\"text\": \"a\ufffdb\ufffdc\"}")));
            Assert.That(() => Jsonb.Parse("\0", options), Throws.InstanceOf<InvalidValueException>());
        });
    }

    [Test]
    public void An_object_is_serialized_and_its_strings_checked()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Jsonb.From(new { Url = "é<&\"\ufffd", Steps = new[] { 1, 2 } }).ToString(), Is.EqualTo("""{"Url":"é<&\"�","Steps":[1,2]}"""));
            Assert.That(Jsonb.From("text").ToString(), Is.EqualTo("\"text\""));
            Assert.That(Jsonb.From<object?>(null).ToString(), Is.EqualTo("null"));
            Assert.That(() => Jsonb.From(new { text = "a\ud83d" }), Throws.InstanceOf<InvalidValueException>(), "System.Text.Json alone would write U+FFFD");
            Assert.That(() => Jsonb.From(new Dictionary<string, int> { ["\ude00"] = 1 }), Throws.InstanceOf<InvalidValueException>());
            Assert.That(() => Jsonb.From(new { text = "a\0" }), Throws.InstanceOf<InvalidValueException>());
            Assert.That(() => Jsonb.From(new { e = JsonDocument.Parse("\"a\\ud800\"").RootElement }), Throws.InstanceOf<InvalidValueException>());
            Assert.That(() => Jsonb.From(new { load_ms = double.NaN }), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("json"));
        });
    }

    [Test]
    public void Source_generated_metadata_serializes_and_deserializes()
    {
        var step = new Step { Number = 7, Url = "https://example.org" };

        var json = Jsonb.From(step, StepContext.Default.Step);

        Assert.That(json.ToString(), Is.EqualTo("""{"Number":7,"Url":"https://example.org"}"""));
        Assert.That(json.To(StepContext.Default.Step), Is.EqualTo(step));
        Assert.That(json.To<Step>(), Is.EqualTo(step));
    }

    [Test]
    public void An_element_outlives_its_document()
    {
        Jsonb json;
        using (var document = JsonDocument.Parse("""{"a": [1, 2]}"""))
        {
            json = Jsonb.FromElement(document.RootElement.GetProperty("a"));
        }

        Assert.That(json.ToElement().GetArrayLength(), Is.EqualTo(2));
    }

    [Test]
    public void System_Text_Json_writes_a_Jsonb_raw_and_reads_any_value()
    {
        var holder = new Holder { Json = Jsonb.Parse("""{"a": "b"}"""), None = null };

        var text = JsonSerializer.Serialize(holder);

        Assert.That(text, Is.EqualTo("""{"Json":{"a": "b"},"None":null,"Literal":null}"""));
        Assert.That(JsonSerializer.Deserialize<Holder>(text), Is.EqualTo(holder));
        Assert.That(() => JsonSerializer.Deserialize<Holder>("""{"Json": "\u0000"}"""), Throws.InstanceOf<InvalidValueException>());
    }

    [Test]
    public void Equality_follows_jsonb()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Jsonb.Parse("""{"a": 1, "b": [1E2]}"""), Is.EqualTo(Jsonb.Parse("""{"b":[100.0],"a":1}""")));
            Assert.That(Jsonb.Parse("[1, 2]"), Is.Not.EqualTo(Jsonb.Parse("[2, 1]")));
            Assert.That(Jsonb.Parse("\"1\""), Is.Not.EqualTo(Jsonb.Parse("1")));
            Assert.That(default(Jsonb), Is.EqualTo(Jsonb.Parse("null")));
            Assert.That(Jsonb.Parse("1") == Jsonb.Parse("1.0"));
            Assert.That(Jsonb.Parse("1") != Jsonb.Parse("2"));
        });
    }

    private sealed record Holder
    {
        public Jsonb Json { get; init; }

        public Jsonb? None { get; init; }

        public Jsonb Literal { get; init; }
    }

    internal sealed record Step
    {
        public int Number { get; init; }

        public string? Url { get; init; }
    }

    [JsonSerializable(typeof(Step))]
    internal sealed partial class StepContext : JsonSerializerContext;

    private sealed class Throwing(string message)
    {
        public string Text => throw new ArgumentException(message);
    }
}
