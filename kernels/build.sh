#!/bin/sh
# Compiles the C kernels into $2/<os>-<arch>/libllm4msr.so, objects under $1.
# Without a C compiler it says so and succeeds: everything still runs on the reference backend.
set -eu
objects=$1
resources=$2
os=$(uname -s | tr '[:upper:]' '[:lower:]')
arch=$(uname -m)
if ! command -v "${CC:-gcc}" >/dev/null 2>&1 || ! command -v make >/dev/null 2>&1; then
  echo "[llm4msr] no C compiler (${CC:-gcc}) or no make: the native CPU kernels are not built, only the slow 'reference' backend will work. On Debian or Ubuntu: apt-get install gcc make" >&2
  exit 0
fi
if [ ! -f Makefile ]; then exit 0; fi
exec make --no-print-directory -j2 OUT="$objects" RES="$resources/$os-$arch"
