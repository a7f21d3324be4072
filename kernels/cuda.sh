#!/bin/sh
# The CUDA-only kernels, without a GPU.
#   kernels/cuda.sh          runs them on the host under AddressSanitizer and UBSan against plain formulas; where nvcc is
#                            there, compiles each for its targets and fails if ptxas reports spills, a serialised wgmma,
#                            or other numbers than the "// ptxas" lines of a file's header
#   kernels/cuda.sh fill     writes those lines anew
# A file is for compute_80 and sm_90a, or for sm_90a alone if its header says "Target sm_90a".
set -eu
cd "$(dirname "$0")"

if [ "${1:-check}" = check ]; then
  if command -v "${CXX:-g++}" >/dev/null 2>&1 && [ "$(uname -sm)" = "Linux x86_64" ]; then
    echo "kernels/cuda.sh: CUDA kernels on the host" >&2
    make -s --no-print-directory -j2 check-cuda
  else
    echo "kernels/cuda.sh: the CUDA kernels were NOT run: no C++ compiler (${CXX:-g++}), or not x86-64 Linux" >&2
  fi
fi

nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
if ! command -v "$nvcc" >/dev/null 2>&1; then
  echo "kernels/cuda.sh: the CUDA kernels were NOT compiled for GPUs: no nvcc" >&2
  exit 0
fi
release=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
for file in src/main/cuda/*.cu; do
  targets="80 90a"
  if grep -q '^// .*Target sm_90a' "$file"; then targets=90a; fi
  : > "$folder/lines"
  for target in $targets; do
    # ptxas names each kernel on one line and what it uses on the following.
    # What the build of the jar has just said need not be compiled again.
    built=target/nvcc/$(basename "$file" .cu).sm_$target.log
    if [ -s "$built" ] && [ -z "$(find src/main/cuda -newer "$built")" ]; then
      cp "$built" "$folder/log"
    elif ! "$nvcc" -std=c++17 -gencode "arch=compute_$target,code=sm_$target" -cubin -o "$folder/cubin" -Xptxas -v "$file" \
      > "$folder/log" 2>&1; then
      cat "$folder/log" >&2
      exit 1
    fi
    if grep -iE 'warning|serialized' "$folder/log" >&2; then
      echo "kernels/cuda.sh: $file, sm_$target: see above" >&2
      failed=1
    fi
    awk -v target="$target" -v release="$release" '
      /Compiling entry function/ { split($0, part, "'\''"); name = part[2] }
      /bytes stack frame/ { spills = $5 + $9; frame = $1 }
      /Used [0-9]+ registers/ {
        for (i = 1; i < NF; i++) if ($i == "Used") used = $(i + 1)
        printf "// ptxas %s, sm_%s: %s %d registers, %d bytes of stack, %d bytes spilled\n", release, target, name, used, frame, spills
      }' "$folder/log" >> "$folder/lines"
  done
  if grep -v ' 0 bytes spilled$' "$folder/lines" >&2; then
    echo "kernels/cuda.sh: $file spills registers" >&2
    failed=1
  fi
  if [ "${1:-check}" = fill ]; then
    awk -v lines="$folder/lines" '
      /^\/\/ ptxas/ { if (!done) while ((getline line < lines) > 0) print line; done = 1; next }
      { print }' "$file" > "$folder/new"
    cat "$folder/new" > "$file"
  else
    # Another release of nvcc may allocate otherwise.
    grep "^// ptxas $release," "$file" > "$folder/stated" || true
    if grep -q "^// ptxas $release," "$file" && ! diff "$folder/stated" "$folder/lines" >&2; then
      echo "kernels/cuda.sh: the header of $file states (<) what is no longer so (>): kernels/cuda.sh fill" >&2
      failed=1
    fi
    if ! grep -q '^// ptxas [0-9]' "$file"; then
      echo "kernels/cuda.sh: $file states no registers: kernels/cuda.sh fill" >&2
      failed=1
    fi
  fi
done
exit $failed
