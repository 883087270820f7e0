using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace CrawlData.Dashboard.Actions;

/// <summary>What an operator sends with an action.</summary>
internal sealed class ActionForm(IFormCollection fields)
{
    public const int MaxReasonLength = 4_000;
    private const int MaxBytes = 64 * 1024;

    /// <summary>Gets why.</summary>
    /// <exception cref="BadFormException">There is no reason, or it is too long.</exception>
    public string Reason => $"{fields["error"]}".Trim() is { Length: > 0 and <= MaxReasonLength } reason
        ? reason
        : throw new BadFormException("error", $"must be a text of 1 to {MaxReasonLength} characters");

    /// <summary>Gets the attempt of the session that the operator saw.</summary>
    /// <exception cref="BadFormException">It is no number.</exception>
    public int Attempt => int.TryParse(fields["attempt"], NumberStyles.None, CultureInfo.InvariantCulture, out var attempt)
        ? attempt
        : throw new BadFormException("attempt", "must be the attempt that the session is at");

    /// <exception cref="BadFormException">The request holds no form.</exception>
    public static async Task<ActionForm> ReadAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = MaxBytes;
        }

        if (!context.Request.HasFormContentType)
        {
            // A POST without a body has no fields.
            return context.Request.ContentLength is null or 0 && context.Request.ContentType is null
                ? new ActionForm(FormCollection.Empty)
                : throw new BadFormException("The body", "must be a form");
        }

        try
        {
            return new ActionForm(await context.Request.ReadFormAsync(context.RequestAborted).ConfigureAwait(false));
        }
        catch (InvalidDataException)
        {
            throw new BadFormException("The body", "must be a form");
        }
    }
}
