#!/bin/sh
# Compiles the GPU's kernels into $2, logs under $1.
# Without nvcc it says so and succeeds: the cuda backend then says that it was not built in.
set -eu
out=$1
resources=$2
nvcc=
for candidate in "${NVCC:-nvcc}" "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc"; do
  if command -v "$candidate" >/dev/null 2>&1; then
    nvcc=$candidate
    break
  fi
done
if [ -z "$nvcc" ] || ! command -v make >/dev/null 2>&1; then
  echo "[llm4msr] no nvcc or no make: the kernels for NVIDIA GPUs are not built, the 'cuda' backend will not work. They need the CUDA toolkit (13.0 is tried)" >&2
  exit 0
fi
exec make --no-print-directory -j2 -f cuda.mk NVCC="$nvcc" OUT="$out" RES="$resources"
