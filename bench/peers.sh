#!/bin/sh
# Measures us beside PyTorch, ONNX Runtime, llama.cpp and Jlama, in turn and in one process:
#   bench/peers.sh training star|mmoe|ple THREADS BATCH_SIZE KNOWLEDGE_WIDTH lazy|dense [ROUNDS [LARGEST_TABLE]]
#   bench/peers.sh encoding THREADS PROMPTSxTOKENS [ROUNDS [DIRECTORY]]
#                                        (of a llama or qwen2 in F32, as RandomModel writes it; else 110 M random weights)
#   bench/peers.sh scoring ITEMS KNOWLEDGE_WIDTH [ROUNDS [f32|bf16|int8]]
#   bench/peers.sh mlp ITEMS ROUNDS f32|bf16|int8                 (the plain network 200-256-128-64-1)
#   bench/peers.sh onnx THREADS PROMPTSxTOKENS ROUNDS MODEL.onnx DIRECTORY [INT8.onnx]
#                                        (DIRECTORY made by bench/onnx_bert.py; INT8.onnx for W8A8 beside it)
#   bench/peers.sh llama THREADS PROMPTSxTOKENS ROUNDS MODEL.gguf [float|a8|w8a8]
#                                        (how ours computes; bench/gguf_types.py makes models of each type.
#                                        LLAMA_LIBRARY=libllama.so takes another build than the jar's, which is for
#                                        AVX2, such as that of the npm package @node-llama-cpp/linux-x64 3.22.1)
#   bench/peers.sh jlama THREADS PROMPTSxTOKENS [ROUNDS]
# The first build downloads 270 MB from Maven Central, and PyTorch unpacks 430 MB under ~/.djl.ai.
# BACKEND=reference measures another backend than cpu; SKIP_BUILD=1 runs what was built before.
set -eu
cd "$(dirname "$0")/.."
JAVA_HOME=$(.mvn/find-jdk.sh) || exit 1
export JAVA_HOME
usage() {
  sed -n '2,16s/^# *//p' "$0" >&2
  exit 2
}
[ $# -ge 3 ] || usage
what=$1
shift
case $what in
  training)
    main=TrainingComparison
    [ $# -ge 5 ] || usage
    set -- "${BACKEND:-cpu}" "$1" "${7:-1000000}" "$2" "$3" "$4" "$5" "${6:-7}" ;;
  encoding)
    main=EncodingComparison
    set -- "${BACKEND:-cpu}" "$1" "$2" "${3:-7}" "${4:-bench/target/random-110m}" ;;
  scoring)
    main=ScoringComparison
    set -- "$1" "$2" "${3:-7}" "${4:-f32}" ;;
  mlp)
    main=MlpComparison
    [ $# -eq 3 ] || usage ;;
  onnx)
    main=OnnxComparison
    [ $# -eq 5 ] || [ $# -eq 6 ] || usage ;;
  jlama)
    main=JlamaComparison
    set -- "$1" "$2" "${3:-5}" bench/target/random-110m ;;
  llama)
    main=LlamaComparison
    [ $# -eq 4 ] || [ $# -eq 5 ] || usage ;;
  *) echo "bench/peers.sh: no comparison is called '$what'" >&2; exit 2 ;;
esac
if [ -z "${SKIP_BUILD:-}" ]; then
  MAVEN_OPTS="${MAVEN_OPTS:-} --sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED" \
    ./mvnw -q -Ppeers -pl bench -am -DskipTests package
fi
# Jlama computes with the Vector API, an incubator.
exec "$JAVA_HOME/bin/java" --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED -Dai.djl.offline=true \
  -cp 'bench/target/classes:bench/target/lib/*' \
  "org.llm4msr.bench.peers.$main" "$@"
