#!/bin/sh
# Compiles the stand-in for NVIDIA's driver on which the tests run; called by Maven in the module's folder.
set -eu
source=src/test/native
kernels=../kernels/src/main/portable
out=target/stand-in
library=$out/libcuda.so.1

# Without nvcc there is no PTX to load: names take its place, which is all that the stand-in needs.
classes=target/test-classes/cuda
rm -rf "$classes"
if [ ! -f ../kernels/target/classes/cuda/toolkit ]; then
  mkdir -p "$classes"
  echo 13.0 > "$classes/toolkit"
  cat $kernels/*.kk | sed -n 's/^KERNEL \([a-z_0-9]*\)(.*/.visible .entry \1(/p' > "$classes/portable.ptx"
fi

if ! command -v "${CXX:-g++}" >/dev/null 2>&1; then
  rm -rf $out
  echo "[llm4msr] no C++ compiler (${CXX:-g++}): the cuda backend is NOT tested. On Debian or Ubuntu: apt-get install g++" >&2
  exit 0
fi
if [ -f $library ] && [ -z "$(find $source $kernels -newer $library)" ]; then exit 0; fi
mkdir -p $out
cat $kernels/*.kk | sed -n 's/^KERNEL \([a-z_0-9]*\)(.*/KERNEL_ENTRY(\1)/p' > $out/kernels.inc
flags="-std=c++17 -O2 -g -march=native -ffp-contract=off -fno-math-errno -fPIC -fvisibility=hidden -U_FORTIFY_SOURCE -Wall -Wextra -Werror -I$out -I$kernels"
cuda=${CUDA_HOME:-/usr/local/cuda}/include
if [ -f "$cuda/cuda.h" ]; then
  "${CXX:-g++}" -std=c++17 -fsyntax-only "-I$cuda" $source/layouts.cpp
fi
"${CXX:-g++}" $flags -shared -Wl,-soname,libcuda.so.1 -o $library.new \
  $source/driver.cpp $source/memory.cpp $source/launch.cpp $source/fibres.cpp $source/kernels.cpp -pthread
mv $library.new $library
