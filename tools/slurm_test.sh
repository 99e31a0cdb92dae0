#!/usr/bin/env bash
# Tests on a Slurm cluster, one process a GPU.
# Usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [ARGUMENTS OF test.py]
# Settings: GPUS=8 in all, GPUS_PER_NODE (8, or GPUS if that is less), CPUS_PER_TASK=5,
# SRUN_ARGS, PY_ARGS (more arguments of test.py), PORT; GRES= (empty) asks for no GPU.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/launch_ranks.sh
source "$tools/launch_ranks.sh"

need_arguments 4 $#
need_config "$3"
srun_ranks "$1" "$2" test.py "$3" "$4" "${@:5}"
