namespace CrawlData;

/// <summary>Thrown for a value that PostgreSQL, or the schema, would refuse or change. It is thrown where the value is given, before anything is sent. So
/// nothing else is lost with it.</summary>
public sealed class InvalidValueException : CrawlDataException
{
    internal InvalidValueException(string field, string reason, Exception? innerException = null)
        : base($"{field}: {reason}.", innerException)
    {
        Field = field;
        Reason = reason;
    }

    /// <summary>The name of the field, in snake_case as columns are: a column such as <c>event_type</c>, <c>json</c> for a <see cref="Jsonb"/>, <c>cursor</c>, or
    /// <c>connection_string</c>.</summary>
    public string Field { get; }

    /// <summary>What is wrong with the value, with the limit where there is one. It does not quote the value.</summary>
    public string Reason { get; }
}
