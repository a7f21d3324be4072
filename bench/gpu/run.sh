#!/bin/sh
# Proves and measures the cuda backend on the first NVIDIA GPU of this machine. All that it needs lies beside it.
#   run.sh [--quick] [--results FOLDER] [--limit SECONDS] [--driver LIBRARY]
# --quick     a few shapes, within 3 minutes; otherwise within 8
# --results   where results.json and the logs go; else the folder results beside this script
# --limit     another limit for the whole run
# --driver    for testing this script: a library in place of libcuda.so.1; the benchmarks have tiny shapes then
# PyTorch is measured on the same GPU if python3 has it. Ends non-zero when anything failed; the rest runs all the same.
set -u
here=$(cd "$(dirname "$0")" && pwd)
results=$here/results driver=libcuda.so.1 size=full limit=480 wanted=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) size=quick limit=180; shift; continue ;;
    --results | --limit | --driver)
      [ $# -ge 2 ] || { echo "run.sh: $1 needs a value" >&2; exit 2; } ;;
    *) sed -n '2,8s/^# *//p' "$0" >&2; exit 2 ;;
  esac
  case $1 in
    --results) results=$2 ;;
    --limit) wanted=$2 ;;
    --driver) driver=$2 size=tiny ;;
  esac
  shift 2
done
limit=${wanted:-$limit}
case $limit in '' | *[!0-9]*) echo "run.sh: --limit needs a number of seconds, not '$limit'" >&2; exit 2 ;; esac

mkdir -p "$results" && cd "$results" && results=$(pwd) || exit 1
temporary=$(mktemp -d "$results/temporary.XXXXXX") || exit 1
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM
rm -rf target
: > tests.jsonl
: > measurements.jsonl
begun=$(date +%s)
failures=0
# Goldens that are not among the project's.
[ ! -d "$here/shared" ] || export LLM4MSR_SHARED="$here/shared"

# limited SHARE COMMAND…: within a share of the whole time, in percent, and what is left of it; 124 when that was too short.
limited() {
  seconds=$((limit * $1 / 100))
  left=$((begun + limit - $(date +%s)))
  shift
  [ "$seconds" -le "$left" ] || seconds=$left
  [ "$seconds" -ge 5 ] || return 124
  timeout --foreground -k 5 "$seconds" "$@"
}

# jvm SHARE FOLDER ARGUMENT…: the packed Java, whose temporary files go into a folder.
jvm() {
  share=$1 java_files=$2
  shift 2
  limited "$share" "$here/java/bin/java" --enable-native-access=ALL-UNNAMED --illegal-native-access=deny \
    "-Dllm4msr.cuda.driver=$driver" "-Djava.io.tmpdir=$java_files" -Dllm4msr.checkAllocations="$checked" \
    -cp "$here/test-classes:$here/lib/*" "$@"
}

# failed STATUS WHAT
failed() {
  failures=$((failures + 1))
  case $1 in
    124 | 137) echo "FAILED: $2 took longer than the ${seconds:-0} s that were left for it" >&2 ;;
    *) echo "FAILED: $2, exit code $1" >&2 ;;
  esac
}

# suite NAME SHARE SELECTOR…: test classes; what they print is in NAME.log.
suite() {
  name=$1 share=$2
  shift 2
  started=$(date +%s)
  checked=true jvm "$share" "$temporary" org.junit.platform.console.ConsoleLauncher execute --disable-banner \
    --disable-ansi-colors --details=summary --fail-if-no-tests "$@" > "$name.log" 2>&1
  status=$?
  # Lines such as "[        30 tests successful      ]".
  counted() { sed -n "s/^\[ *\([0-9]*\) tests $1 *\]\$/\1/p" "$name.log" | grep . || echo 0; }
  # An assumption that does not hold is counted as aborted.
  ran=$(($(counted successful) + $(counted failed)))
  skipped=$(($(counted skipped) + $(counted aborted)))
  result=passed
  if [ "$status" != 0 ]; then
    result=failed
    failed "$status" "$name (what it printed: $results/$name.log)"
    sed -n '/^Failures/,$p' "$name.log" | grep '=>' | head -n 5 >&2
  fi
  took=$(($(date +%s) - started))
  printf '{"suite": "%s", "ran": %d, "failed": %d, "skipped": %d, "seconds": %d, "result": "%s"}\n' \
    "$name" "$ran" "$(counted failed)" "$skipped" "$took" "$result" >> tests.jsonl
  echo "$name: $result, $ran tests, $skipped skipped, $took s"
}

# measure KIND SHARE SECONDS SHAPE…: ours, whose models are written to a folder, then PyTorch's.
measure() {
  kind=$1 share=$2 each=$3
  shift 3
  checked=false jvm "$share" "$models" org.llm4msr.bench.gpu.GpuBenchmark cuda "$kind" "$results" "$each" "$@"
  status=$?
  [ "$status" = 0 ] || failed "$status" "$kind $*"
  if [ -n "$torch" ]; then
    limited "$share" python3 "$here/torch_peer.py" cuda "$kind" "$results" "$each" "$@"
    status=$?
    [ "$status" = 0 ] || failed "$status" "PyTorch's $kind $*"
  fi
}

seconds=0
device=$(checked=false jvm 20 "$temporary" org.llm4msr.bench.gpu.GpuBenchmark cuda devices)
status=$?
echo "$device"
[ "$status" = 0 ] || exit 1

echo
suite conformance 40 --select-class org.llm4msr.cuda.CudaConformanceTest
suite encoder 12 --select-class org.llm4msr.model.encoder.CudaEncoderTest
suite recommender 12 --select-class org.llm4msr.model.recommender.CudaRecommenderGoldenTest
suite training 15 --select-class org.llm4msr.model.training.CudaTrainingTest
suite device 20 --select-package org.llm4msr.cuda --exclude-classname '.*\.(CudaConformance|StandIn)Test'

echo
models=$temporary
torch=
if [ "$size" != tiny ] && limited 15 python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  torch=yes
else
  echo "python3 has no PyTorch that sees the GPU: nothing is measured beside it"
fi
# Weights' type, M x K x N; prompts x tokens : heads / heads of keys x numbers in a head; model : prompts x tokens;
# rows of a batch : width of the knowledge : rows of the largest table.
case $size in
  tiny)
    measure matmul 20 0 f32:65x48x33 bf16:65x48x33
    measure attention 20 0 2x17:4/2x16
    measure encoder 20 0 tiny:3x16
    measure training 20 0 64:16:1000 ;;
  quick)
    measure matmul 10 1 f32:4096x4096x4096 bf16:4096x4096x4096
    measure attention 10 1 16x256:32/8x128
    measure encoder 15 2 110m:64x256
    measure training 20 2 65536:896:1000000 4096:896:1000000 ;;
  full)
    measure matmul 12 2 f32:4096x4096x4096 f32:8192x8192x8192 bf16:4096x4096x4096 bf16:8192x8192x8192 \
      bf16:4096x4096x14336 bf16:4001x4097x4095
    measure attention 8 2 16x256:32/8x128 4x2048:32/8x128
    measure encoder 12 4 110m:64x256
    measure training 15 4 65536:896:1000000 4096:896:1000000 ;;
esac

# The large model needs 16 GB of disk, as much memory beside it, and 24 GB on the GPU.
large() {
  gpu=$(nvidia-smi --query-gpu=memory.free --format=csv,noheader,nounits 2>/dev/null | sed -n '1s/[^0-9]//gp')
  memory=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
  disk=$(df -Pk "$results" | awk 'END { print int($4 / 1048576) }')
  shared=$(df -Pk /dev/shm 2>/dev/null | awk 'END { print int($4 / 1048576) }')
  # Memory is faster than a disk.
  if [ "${shared:-0}" -ge 20 ] && [ "$memory" -ge 48 ] && shm=$(mktemp -d /dev/shm/llm4msr.XXXXXX); then
    trap 'rm -rf "$temporary" "$shm"' EXIT
    models=$shm disk=$shared
  fi
  if [ "${gpu:-0}" -lt 24000 ] || [ "$memory" -lt 24 ] || [ "$disk" -lt 20 ]; then
    echo "encoder 8b left out: ${gpu:-unknown} MiB free on the GPU, $memory GiB of memory, $disk GiB of disk;" \
      "needed are 24000, 24 and 20"
    return
  fi
  measure encoder 30 8 8b:16x256
}
[ "$size" != full ] || large

echo
checked=false
"$here/java/bin/java" -cp "$here/lib/*" org.llm4msr.bench.gpu.GpuReport "$results" "$device" || failures=$((failures + 1))
echo
echo "$(($(date +%s) - begun)) s; results in $results/results.json; $failures failures"
[ "$failures" = 0 ]
