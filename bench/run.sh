#!/bin/sh
# Builds and runs JMH benchmarks whose names match a regular expression:
#   bench/run.sh KernelBenchmark -p isa=AVX2 -p 'kernel=matmul 128 896 4864 F32'
# or a class with a main method: bench/run.sh -m org.llm4msr.bench.training.TrainingProfile [arguments]
set -eu
cd "$(dirname "$0")/.."
JAVA_HOME=$(.mvn/find-jdk.sh) || exit 1
export JAVA_HOME
./mvnw -q -pl bench -am package -DskipTests >&2
main=org.openjdk.jmh.Main
if [ "${1:-}" = -m ]; then
  main=$2
  shift 2
fi
exec "$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED -cp "bench/target/classes:bench/target/lib/*" "$main" "$@"
