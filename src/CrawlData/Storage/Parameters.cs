using System.Collections;
using System.Data;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>A statement's parameters, each with its PostgreSQL type, so that neither Dapper nor the type handlers that an application gave it guess
/// one.</summary>
internal sealed class Parameters : SqlMapper.IDynamicParameters, IEnumerable<NpgsqlParameter>
{
    private readonly List<NpgsqlParameter> parameters = [];

    public void Add(string name, NpgsqlDbType type, object? value) => parameters.Add(new NpgsqlParameter(name, type)
    {
        // Npgsql splits a time into days and the rest, and a day of PostgreSQL's is as long as the session's time zone has it.
        Value = value is TimeSpan time ? new NpgsqlInterval(0, 0, time.Ticks / TimeSpan.TicksPerMicrosecond) : value ?? DBNull.Value,
    });

    public void AddTo(IDbCommand command)
    {
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(parameter);
        }
    }

    void SqlMapper.IDynamicParameters.AddParameters(IDbCommand command, SqlMapper.Identity identity)
    {
        // Dapper has given it a time-out that is process-wide; the connection's counts.
        command.CommandTimeout = ((NpgsqlConnection)command.Connection!).CommandTimeout;
        AddTo(command);
    }

    public IEnumerator<NpgsqlParameter> GetEnumerator() => parameters.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
