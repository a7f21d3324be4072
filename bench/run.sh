#!/bin/sh
# Measures everything by one command, each figure beside the rate of the machine that bounds it:
#   bench/run.sh quick [kernels|ladder|encoding|scoring|training]...   about 5 minutes, or the parts named
#   bench/run.sh full [kernels|ladder|encoding|scoring|training|peers]...   more of each, and beside other libraries
# Figures go to bench/results/DATE.json, a part measured again replaces its own; kernels' also to docs/figures/roofline.svg.
# 'full peers' makes its models under bench/target/peers; the first time it downloads what bench/peers.sh does.
# JMH benchmarks whose names match a regular expression, or a class with a main method:
#   bench/run.sh KernelBenchmark -p isa=AVX2 -p 'kernel=matmul 128 896 4864 F32'
#   bench/run.sh -m org.llm4msr.bench.training.TrainingProfile [arguments]
# SKIP_BUILD=1 runs what was built before.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,10s/^# *//p' "$0" >&2; exit 2; }
JAVA_HOME=$(.mvn/find-jdk.sh) || exit 1
export JAVA_HOME
if [ -z "${SKIP_BUILD:-}" ]; then
  if [ "$1" != full ] || ! ./mvnw -q -Ppeers -pl bench -am package -DskipTests >&2; then
    ./mvnw -q -pl bench -am package -DskipTests >&2
  fi
fi
make -s -C bench/src/main/c OUT="$PWD/bench/target/native"
main=org.openjdk.jmh.Main
case $1 in
  -m)
    [ $# -ge 2 ] || { echo "bench/run.sh: -m wants the name of a class" >&2; exit 2; }
    main=$2
    shift 2 ;;
  quick | full)
    main=org.llm4msr.bench.suite.Suite ;;
esac
if [ "${1:-}" = full ]; then
  bench/peer_models.sh || echo "bench/run.sh: peers that lack their model are left out" >&2
fi
exec "$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED -cp "bench/target/classes:bench/target/lib/*" "$main" "$@"
