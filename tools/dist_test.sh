#!/usr/bin/env bash
# Tests with one process a GPU by torchrun; without a GPU the processes join over gloo.
# Usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [ARGUMENTS OF test.py]
# On several nodes, the same command on each: NNODES=2 NODE_RANK=0 MASTER_ADDR=... PORT=29500
# On one node PORT is a free one if it is not set. OMP_NUM_THREADS is kept if it is set.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/launch_ranks.sh
source "$tools/launch_ranks.sh"

need_arguments 3 $#
need_config "$1"
launch_ranks "$3" test.py "$1" "$2" "${@:4}"
