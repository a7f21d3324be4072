#!/bin/sh
# The conformance suite beyond what `./mvnw verify` runs: on every instruction set that this machine can run but does
# not choose by itself, and on the best one with the C kernels built for AddressSanitizer and UBSan.
# Before that the CUDA-only kernels, on the host.
#   kernels/check.sh        after ./mvnw verify; x86-64 Linux with gcc
set -eu
cd "$(dirname "$0")/.."
JAVA_HOME=$(.mvn/find-jdk.sh)
export JAVA_HOME

kernels/cuda.sh

suite() {
  ./mvnw -q -pl runtime -am test -Dtest=ConformanceTest -Dsurefire.failIfNoSpecifiedTests=false "$@"
  sed -n 's/^Tests run: \([0-9]*\), .*Time elapsed: \([0-9.]*\) s.*/  \1 cases in \2 s/p' \
    runtime/target/surefire-reports/*.ConformanceTest.txt
}

others=base
if grep -qw avx512f /proc/cpuinfo; then others="base avx2"; fi
# What avx512vnni has over avx512 is in avx512bf16 too, if that is the best.
if grep -qw avx512_vnni /proc/cpuinfo; then others="base avx2 avx512"; fi
for isa in $others; do
  echo "kernels/check.sh: conformance on $isa"
  LLM4MSR_ISA=$isa suite
done

echo "kernels/check.sh: conformance under AddressSanitizer and UBSan"
make -s -j2 -C kernels check
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The sanitizers' runtime must be there before the JVM, whose own use of SIGSEGV they must leave alone. Leaks are the
# JVM's own affair.
# Surefire wants it in a folder called bin.
mkdir "$folder/bin"
cat > "$folder/bin/java" <<EOF
#!/bin/sh
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigfpe=0:allow_user_segv_handler=1:use_sigaltstack=0:detect_leaks=0
exec "$JAVA_HOME/bin/java" "\$@"
EOF
chmod +x "$folder/bin/java"
suite "-Djvm=$folder/bin/java" "-Dtest.jvm.args=-Dllm4msr.native=$PWD/kernels/target/check/libllm4msr.so"
