using CrawlData.Audits;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>An id on the command line: a UUID, or its first digits.</summary>
/// <param name="Text">The text as it was given.</param>
internal sealed record IdText(string Text)
{
    private const int LeastDigits = 4;
    private const int CandidatesShown = 5;

    /// <summary>The message for a text that is neither.</summary>
    public static string Expected(string noun) => $"a {noun}'s id, or at least {LeastDigits} of its first digits";

    public static bool TryParse(string token, out IdText id)
    {
        id = new IdText(token);
        var digits = token.Count(char.IsAsciiHexDigit);
        return Guid.TryParse(token, out _) || (digits is >= LeastDigits and <= 32 && token.All(symbol => char.IsAsciiHexDigit(symbol) || symbol == '-'));
    }

    /// <summary>Finds the run.</summary>
    /// <exception cref="UnknownIdException">No run's id, or several runs' ids, begin so. A whole id is not looked up.</exception>
    public Task<Guid> ToCrawlIdAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken) =>
        FindAsync("crawl", limit => new CrawlRunRepository(dataSource).FindIdsAsync(Text, limit, cancellationToken: cancellationToken));

    /// <summary>Finds the audit session.</summary>
    /// <exception cref="UnknownIdException">No session's id, or several sessions' ids, begin so. A whole id is not looked up.</exception>
    public Task<Guid> ToSessionIdAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken) =>
        FindAsync("session", limit => new AuditSessionRepository(dataSource).FindIdsAsync(Text, limit, cancellationToken: cancellationToken));

    /// <summary>Finds the run or the audit session.</summary>
    /// <exception cref="UnknownIdException">No id, or several ids, begin so. A whole id is not looked up.</exception>
    public Task<Guid> ToCrawlOrSessionIdAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken) =>
        FindAsync("crawl or session", async limit =>
        [
            .. await new CrawlRunRepository(dataSource).FindIdsAsync(Text, limit, cancellationToken: cancellationToken),
            .. await new AuditSessionRepository(dataSource).FindIdsAsync(Text, limit, cancellationToken: cancellationToken),
        ]);

    private async Task<Guid> FindAsync(string noun, Func<int, Task<IReadOnlyList<Guid>>> find)
    {
        if (Guid.TryParse(Text, out var whole))
        {
            return whole;
        }

        return await find(CandidatesShown + 1) switch
        {
            [var only] => only,
            [] => throw new UnknownIdException($"There is no {noun} whose id begins with {Text}."),
            var several => throw new UnknownIdException(
                $"Several {noun} ids begin with {Text}: {string.Join(", ", several.Take(CandidatesShown))}"
                + $"{(several.Count > CandidatesShown ? ", …" : "")}. Give more digits."),
        };
    }
}
