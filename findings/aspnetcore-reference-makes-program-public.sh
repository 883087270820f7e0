#!/usr/bin/env bash
# .NET SDK 10.0.401, Microsoft.AspNetCore.App 10.0
#
# A console tool that begins to reference the shared framework Microsoft.AspNetCore.App, without the Web SDK, gets a public class Program: a source generator
# comes with the reference, and writes "public partial class Program" for top-level statements. So another program with top-level statements that references the
# tool, such as its benchmarks, gets warning CS0436 where it names its own Program, which is an error where warnings are. Neither source has changed.
#
# Seen, the public types of the tool and the warnings of its user, without and with the reference:
#   without: public Program 0, CS0436 0
#   with: public Program 1, CS0436 1
set -euo pipefail

self=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

dotnet new console --output tool >/dev/null
dotnet new console --output user >/dev/null
echo 'Console.WriteLine("tool");' >tool/Program.cs
echo 'Console.WriteLine(typeof(Program).Assembly.GetName().Name);' >user/Program.cs
dotnet add user reference tool >/dev/null

look() {
  local warnings
  warnings=$(dotnet build --no-incremental user | grep -o 'warning CS0436' | sort -u | wc -l || true)
  cat >look.cs <<'CS'
#:property PublishAot=false
var tool = System.Reflection.Assembly.LoadFrom(args[0]);
Console.WriteLine(tool.GetExportedTypes().Count(type => type.Name == "Program"));
CS
  echo "$1: public Program $(dotnet run look.cs -- "$folder/user/bin/Debug/net10.0/tool.dll"), CS0436 $warnings"
}

seen=$(
  look without
  sed -i 's#</Project>#<ItemGroup><FrameworkReference Include="Microsoft.AspNetCore.App" /></ItemGroup></Project>#' tool/tool.csproj
  look with
)
echo "$seen"
expected=$(sed -n 's/^#   //p' "$self")
[[ $seen == "$expected" ]]
