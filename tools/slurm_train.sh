#!/usr/bin/env bash
# Trains on a Slurm cluster, one process a GPU.
# Usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [WORK_DIR] [ARGUMENTS OF train.py]
# Settings: GPUS=8 in all, GPUS_PER_NODE (8, or GPUS if that is less), CPUS_PER_TASK=5,
# SRUN_ARGS, PY_ARGS (more arguments of train.py), PORT; GRES= (empty) asks for no GPU.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/launch_ranks.sh
source "$tools/launch_ranks.sh"

need_arguments 3 $#
need_config "$3"
work_dir=()
rest=("${@:4}")
if [ $# -gt 3 ] && [[ $4 != -* ]]; then
  work_dir=(--work-dir="$4")
  rest=("${@:5}")
fi
srun_ranks "$1" "$2" train.py "$3" "${work_dir[@]}" "${rest[@]}"
