namespace CrawlData;

/// <summary>A value that PostgreSQL, or the schema, would refuse or change. Thrown where the value is given, before anything is sent, so nothing else is lost
/// with it.</summary>
public sealed class InvalidValueException : CrawlDataException
{
    internal InvalidValueException(string field, string reason, Exception? innerException = null)
        : base($"{field}: {reason}.", innerException)
    {
        Field = field;
        Reason = reason;
    }

    /// <summary>What the value was meant for: a column such as <c>event_type</c>, <c>json</c> for a <see cref="Jsonb"/>, or an option or a parameter, in
    /// snake_case as columns are: <c>max_depth</c>, <c>page_size</c>.</summary>
    public string Field { get; }

    /// <summary>What is wrong with it, in words, with the limit where there is one.</summary>
    public string Reason { get; }
}
