using System.Text;
using CrawlData.Cli;

namespace CrawlData.Tests.Cli;

[Parallelizable(ParallelScope.All)]
public sealed class PrintableTextTests
{
    private const string Marks = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069";
    private const string WithoutWidth = "\u200b\u200c\u200d\u2060\ufeff\u00ad";
    private const string Controls = "\u001b\u007f\u0080\u009b\u009f";

    [Test]
    [TestCase("plain text, é, 漢字 and 😀", "plain text, é, 漢字 and 😀")]
    [TestCase("one\r\ntwo\tthree", "one  two three")]
    [TestCase("a\u202eb", "a\\u202eb")]
    [TestCase("\u001b[2J", "\\u001b[2J")]
    [TestCase("\U000E0041", "\\udb40\\udc41")]
    public void A_table_shows_what_a_terminal_would_obey_or_hide(string text, string printable) => Assert.That(text.Printable(), Is.EqualTo(printable));

    [Test]
    public void JSON_for_a_terminal_is_escaped_and_keeps_its_value()
    {
        var json = $"{{\"text\": \"é{Marks}{WithoutWidth}{Controls[1..]}😀\"}}\n[1]\n";
        var output = new MemoryStream();
        using var terminal = new TerminalStream(output);

        // Byte by byte, so that each character is split.
        foreach (var one in Encoding.UTF8.GetBytes(json))
        {
            terminal.Write([one]);
        }

        var written = Encoding.UTF8.GetString(output.ToArray());
        Assert.That(written, Does.Contain("é").And.Contain("😀").And.Contain("\\u202e").And.Contain("\\u009b").And.Contain("\\u007f"));
        Assert.That((Marks + WithoutWidth + Controls).Where(character => written.Contains(character)), Is.Empty);
        Assert.That(
            written.Split('\n').Where(line => line.Length > 0).Select(line => Jsonb.Parse(line)),
            Is.EqualTo(json.Split('\n').Where(line => line.Length > 0).Select(line => Jsonb.Parse(line))));
    }
}
