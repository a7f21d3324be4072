#!/bin/sh
# Puts what the conformance suite measured into the table of docs/kernels.md. The suite first:
#   ./mvnw -pl runtime,opencl,cuda -am verify -Dtest='*ConformanceTest' -Dsurefire.failIfNoSpecifiedTests=false
# Columns: runtime's reference and cpu, opencl on PoCL, cuda on the stand-in for an Ampere GPU, and its products and
# attention on that for a Hopper GPU.
set -eu
cd "$(dirname "$0")/.."
tables="runtime/target/conformance/reference-1.md runtime/target/conformance/cpu-1.md
opencl/target/conformance/opencl-1.md cuda/target/conformance/cuda-1.md cuda/target/conformance/cuda-sm90-1.md"
for table in $tables; do
  if [ ! -f "$table" ]; then
    echo "kernels/conformance.sh: no $table: run the suite first, as the head of this file says" >&2
    exit 1
  fi
done
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
  sed '/<!-- conformance -->/q' docs/kernels.md
  echo
  # A number in brackets: so many of the cases.
  awk -F ' *[|] *' '
    FNR == 1 { file++ }
    FNR > 2 { if (!($2 in seen)) { seen[$2] = 1; names[++count] = $2 }; cases[file, $2] = $3; error[file, $2] = $4
              if ($3 > most[$2]) most[$2] = $3 }
    END {
      print "| operator | cases | reference | cpu | opencl | cuda | cuda, Hopper |\n|---|---|---|---|---|---|---|"
      for (i = 2; i <= count; i++)
        for (j = i; j > 1 && names[j] < names[j - 1]; j--) { name = names[j]; names[j] = names[j - 1]; names[j - 1] = name }
      for (i = 1; i <= count; i++) {
        name = names[i]
        line = "| " name " | " most[name]
        for (f = 1; f <= file; f++) {
          cell = (f, name) in error ? error[f, name] : ""
          if (cell != "" && cases[f, name] != most[name]) cell = cell " (" cases[f, name] ")"
          line = line " | " cell
        }
        print line " |"
      }
    }' $tables
  echo
  sed -n '/<!-- \/conformance -->/,$p' docs/kernels.md
} > "$new"
cat "$new" > docs/kernels.md
