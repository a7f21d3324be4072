#!/bin/sh
# Proves and measures the cuda backend on an NVIDIA GPU:
#   bench/gpu/check.sh pack [ARCHIVE]       builds, and packs everything into one archive, bench/target/llm4msr-gpu-check.tgz
#   bench/gpu/check.sh [--quick|OPTION…]    packs, and runs what was packed if this machine has a GPU; options of run.sh
# The archive runs on any Linux machine (x86-64) with an NVIDIA driver; it brings its own Java and needs no network:
#   tar xzf llm4msr-gpu-check.tgz && llm4msr-gpu-check/run.sh [--quick]
# SKIP_BUILD=1 packs what was built before.
set -eu
cd "$(dirname "$0")/../.."
JAVA_HOME=$(.mvn/find-jdk.sh) || exit 1
export JAVA_HOME
most=60
name=llm4msr-gpu-check
folder=bench/target/$name
archive=$(pwd)/bench/target/$name.tgz
# What our jars, JUnit and Jackson use of it.
modules=java.base,java.instrument,java.logging,java.management,java.xml,jdk.management,jdk.unsupported,jdk.zipfs
run=yes
case ${1:-} in
  pack)
    run=
    [ $# -le 2 ] || { sed -n '2,7s/^# *//p' "$0" >&2; exit 2; }
    case ${2:-$archive} in
      /*) archive=${2:-$archive} ;;
      *) archive=$OLDPWD/$2 ;;
    esac ;;
  '' | -*) ;;
  *) sed -n '2,7s/^# *//p' "$0" >&2; exit 2 ;;
esac

[ "$(uname -sm)" = "Linux x86_64" ] || { echo "check.sh: packs the Java of this machine, which must be Linux on x86-64" >&2; exit 1; }
if [ -z "${SKIP_BUILD:-}" ]; then
  rm -rf bench/target/gpu-lib
  ./mvnw -q -Pgpu -pl bench -am -DskipTests package
fi
if [ ! -f kernels/target/classes/cuda/toolkit ]; then
  echo "check.sh: the kernels were not compiled for GPUs: nvcc is needed, of CUDA 12 or newer" >&2
  exit 1
fi

rm -rf "$folder"
mkdir -p "$folder/lib"
"$JAVA_HOME/bin/jlink" --add-modules "$modules" --strip-debug --no-header-files --no-man-pages --compress=zip-9 \
  --output "$folder/java"
cp bench/target/gpu-lib/*.jar bench/target/llm4msr-bench-*.jar "$folder/lib"
# What only JMH's benchmarks need, and AssertJ's soft assertions, which no test uses.
for jar in jmh-core jopt-simple commons-math3 HdrHistogram byte-buddy; do
  rm -f "$folder/lib/$jar"-*.jar
done
# The tests, and goldens as files.
mkdir "$folder/test-classes"
for module in runtime model cuda; do
  cp -r "$module/target/test-classes/org" "$folder/test-classes"
done
cp -r cuda/target/test-classes/golden "$folder/test-classes"
# Those that may not be in the project, where they are at hand.
shared=${LLM4MSR_SHARED:-../shared}
for golden in "$shared"/golden/transformers/* "$shared"/golden/rec/*.f64.safetensors; do
  name_in=${golden#"$shared"/}
  if [ -e "$golden" ] && [ ! -e "$folder/test-classes/$name_in" ]; then
    mkdir -p "$folder/shared/${name_in%/*}"
    cp -r "$golden" "$folder/shared/$name_in"
  fi
done
cp bench/gpu/run.sh bench/gpu/torch_peer.py "$folder"
tar czf "$archive" -C bench/target "$name"
bytes=$(wc -c < "$archive")
mebibytes=$(awk "BEGIN { printf \"%.1f\", $bytes / 1048576 }")
echo "$archive: $mebibytes MiB"
if [ "$bytes" -gt $((most * 1048576)) ]; then
  echo "check.sh: that is more than $most MiB" >&2
  exit 1
fi
[ -n "$run" ] || exit 0

if ! device=$("$folder/java/bin/java" --enable-native-access=ALL-UNNAMED -cp "$folder/lib/*" \
  org.llm4msr.bench.gpu.GpuBenchmark cuda devices 2>&1); then
  echo "$device"
  echo "The archive is ready; on a machine with an NVIDIA GPU: tar xzf $name.tgz && $name/run.sh [--quick]"
  exit 0
fi
exec "$folder/run.sh" --results bench/target/gpu-results "$@"
