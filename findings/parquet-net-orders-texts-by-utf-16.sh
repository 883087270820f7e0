#!/usr/bin/env bash
# Parquet.Net 6.1.0, DuckDB 1.5.6 (DuckDB.NET.Data.Full 1.5.6.1), .NET 10
#
# A filter on a text finds nothing in a Parquet file that has the text, without an error. Parquet.Net compares strings by UTF-16 code units for the least and
# the greatest text of a row group. Parquet orders texts by their bytes in UTF-8. The two orders differ where a character beyond U+FFFF, such as an emoji, meets
# one from U+E000 to U+FFFF, such as a full-width letter or U+FFFD. A reader that trusts these statistics skips the row group. No option leaves them out.
#
# Seen, in a file with 'a', U+FF21 and U+1F600:
#   rows: 3
#   where x = U+1F600: 0
#   where x || '' = U+1F600: 1
set -euo pipefail

self=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

dotnet new console --output "$folder/app" >/dev/null
cd "$folder/app"
dotnet add package Parquet.Net --version 6.1.0 >/dev/null
dotnet add package DuckDB.NET.Data.Full --version 1.5.6.1 >/dev/null
cat >Program.cs <<'CS'
using DuckDB.NET.Data;
using Parquet;
using Parquet.Schema;

var field = new DataField("x", typeof(string), isNullable: false);
await using (var file = File.Create("texts.parquet"))
await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(field), file))
{
    using var group = writer.CreateRowGroup();
    await group.WriteAsync(field, new[] { "a", "\uff21", "\U0001f600" });
}

using var connection = new DuckDBConnection("DataSource=:memory:");
connection.Open();
Console.WriteLine($"rows: {Count("true")}");
Console.WriteLine($"where x = U+1F600: {Count("x = chr(128512)")}");
Console.WriteLine($"where x || '' = U+1F600: {Count("x || '' = chr(128512)")}");

object? Count(string condition)
{
    using var command = connection.CreateCommand();
    command.CommandText = $"select count(*) from 'texts.parquet' where {condition}";
    return command.ExecuteScalar();
}
CS
seen=$(dotnet run)
echo "$seen"
expected=$(sed -n 's/^#   //p' "$self")
[[ $seen == "$expected" ]]
