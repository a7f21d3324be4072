#!/bin/sh
# Does the method pick knowledge up where there is some? Compares STAR alone, with random vectors and with
# vectors that hold the made-up customers' hidden taste, over 5 seeds, paired:
#   bench/planted.sh [folder]
set -eu
exec "$(dirname "$0")/../llm4msr" demo --planted --seeds 5 --threads 2 --out "${1:-planted-out}"
