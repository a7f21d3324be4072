#!/bin/sh
# Compiles the stand-in for NVIDIA's driver on which the tests run; called by Maven in the module's folder.
set -eu
source=src/test/native
kernels=../kernels/src/main/portable
cuda_kernels=../kernels/src/main/cuda
machine=../kernels/src/test/cuda
# Of the kernels that only CUDA has those that the backend launches: file, then kernel:blocks of a cluster.
emulated='to_bf16 to_bf16:1
matmul_mma matmul_mma:1
matmul_persistent matmul_persistent:1
matmul_multicast matmul_multicast:2
matmul_wide matmul_wide:2
matmul_quantised matmul_q8_0:1 matmul_q4_0:1
attention_mma attention_64:1 attention_128:1
rms_norm_residual rms_norm_residual:1
embedding_concat embedding_concat:1
segment_adam segment_adam:1'
out=target/stand-in
library=$out/libcuda.so.1

# Without nvcc there is no PTX to load: names take its place, which is all that the stand-in needs.
classes=target/test-classes/cuda
rm -rf "$classes"
if [ ! -f ../kernels/target/classes/cuda/toolkit ]; then
  mkdir -p "$classes"
  echo 13.0 > "$classes/toolkit"
  cat $kernels/*.kk | sed -n 's/^KERNEL \([a-z_0-9]*\)(.*/.visible .entry \1(/p' > "$classes/portable.ptx"
  echo "$emulated" | while read -r file names; do
    suffix=ptx
    if grep -q '^// .*Target sm_90a' "$cuda_kernels/$file.cu"; then suffix=sm_90a.cubin; fi
    for name in $names; do echo ".visible .entry ${name%:*}("; done > "$classes/$file.$suffix"
  done
fi

if ! command -v "${CXX:-g++}" >/dev/null 2>&1; then
  rm -rf $out
  echo "[llm4msr] no C++ compiler (${CXX:-g++}): the cuda backend is NOT tested. On Debian or Ubuntu: apt-get install g++" >&2
  exit 0
fi
if [ -f $library ] && [ -z "$(find $source $kernels $cuda_kernels $machine -newer $library)" ]; then exit 0; fi
mkdir -p $out
rm -f $out/*.o
cat $kernels/*.kk | sed -n 's/^KERNEL \([a-z_0-9]*\)(.*/KERNEL_ENTRY(\1)/p' > $out/kernels.inc
flags="-std=c++17 -O2 -g -march=native -ffp-contract=off -fno-math-errno -fPIC -fvisibility=hidden -U_FORTIFY_SOURCE -Wall -Wextra -Werror -I$out -I$kernels"
cuda=${CUDA_HOME:-/usr/local/cuda}/include
if [ -f "$cuda/cuda.h" ]; then
  "${CXX:-g++}" -std=c++17 -fsyntax-only "-I$cuda" $source/layouts.cpp
fi
# As in the kernels' own check: fibres switch stacks, and shared memory holds what is needed.
emulated_flags="$flags -I$machine -I$cuda_kernels -Wno-unknown-pragmas -Wno-clobbered -Wno-psabi -fno-strict-aliasing"
# Two at a time; a compiler that fails stops it all.
compile() { echo "${CXX:-g++} $emulated_flags $*"; }
{
  echo "$emulated" | while read -r file names; do
    entries=
    for name in $names; do entries="${entries}ENTRY(${name%:*},${name#*:})"; done
    compile "'-DKERNEL_FILE=\"$file.cu\"' '-DENTRIES=$entries' -c $source/emulated.cpp -o $out/$file.o"
  done
  for part in machine warp hopper; do compile "-c $machine/$part.cpp -o $out/$part.o"; done
  compile "-c $source/emulator.cpp -o $out/emulator.o"
  for part in driver memory launch fibres kernels; do
    echo "${CXX:-g++} $flags -c $source/$part.cpp -o $out/$part.o"
  done
} | tr '\n' '\0' | xargs -0 -n 1 -P 2 sh -c
"${CXX:-g++}" -shared -Wl,-soname,libcuda.so.1 -o $library.new $out/*.o -pthread
mv $library.new $library
