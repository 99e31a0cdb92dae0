# Sourced by dist_train.sh, dist_test.sh, slurm_train.sh and slurm_test.sh: what they share.
# Needs $tools, the folder of the tools. The caller's folder is never changed, so that
# relative paths in the arguments mean what the caller means.

fail() {
  echo "error: $*" >&2
  exit 1
}

# Ends with what the header of the calling script says about its use.
need_arguments() {
  local wanted=$1 came=$2
  if [ "$came" -lt "$wanted" ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    fail "expected $wanted arguments or more, got $came"
  fi
}

need_config() {
  [ -f "$1" ] || fail "config not found: expected a file at $1; check the path"
}

need_count() {
  [[ $2 =~ ^[1-9][0-9]*$ ]] || fail "$1: expected a whole number of 1 or more, got '$2'"
}

# The first that has torch of: $PYTHON, the active environment's, the repository's own.
find_python() {
  local candidate
  local test='from importlib.util import find_spec as f
raise SystemExit(not (f("torch") and f("mmengine")))'
  for candidate in "${PYTHON:-}" python "$tools/../.venv/bin/python"; do
    if [ -n "$candidate" ] && "$candidate" -P -c "$test" 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "no Python with torch and mmengine: activate an environment, set PYTHON to its" \
    "python, or make one with bash tools/setup_env.sh"
}

# A checkout works without being installed; an installed package has no such folder.
export_source_path() {
  local root
  root=$(dirname "$tools")
  if [ -d "$root/mmdetxfer" ]; then
    export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
  fi
}

# Threads a rank, where nothing is set: on a CPU the cores shared out among the ranks; beside
# a GPU one, since there the cores belong to the data loader's workers.
export_threads() {
  local ranks=$1 threads=1
  if [ -z "${OMP_NUM_THREADS:-}" ]; then
    if ! compgen -G '/dev/nvidia[0-9]*' >/dev/null || [ "${CUDA_VISIBLE_DEVICES-0}" = '' ]; then
      threads=$(($(nproc) / ranks))
    fi
    export OMP_NUM_THREADS=$((threads > 1 ? threads : 1))
  fi
}

# launch_ranks GPUS SCRIPT ARGUMENTS: one process a GPU by torchrun, on this node.
launch_ranks() {
  local gpus=$1 script=$2 nodes=${NNODES:-1} python where
  shift 2
  need_count GPUS "$gpus"
  need_count NNODES "$nodes"
  python=$(find_python)
  if [ "$nodes" = 1 ] && [ -z "${PORT:-}" ]; then
    # torchrun binds a free port itself, so that two trainings never meet on one.
    where=(--standalone --local_addr=127.0.0.1)
  else
    where=(
      --node_rank="${NODE_RANK:-0}"
      --master_addr="${MASTER_ADDR:-127.0.0.1}"
      --master_port="${PORT:-29500}"
    )
  fi
  export_source_path
  export_threads "$gpus"
  exec "$python" -P -m torch.distributed.run --nnodes="$nodes" --nproc_per_node="$gpus" \
    "${where[@]}" "$tools/$script" "$@" --launcher pytorch
}

# srun_ranks PARTITION JOB_NAME SCRIPT ARGUMENTS: one process a GPU by srun.
srun_ranks() {
  local partition=$1 job_name=$2 script=$3 gpus=${GPUS:-8} python
  shift 3
  local per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))} srun_args py_args
  need_count GPUS "$gpus"
  need_count GPUS_PER_NODE "$per_node"
  read -ra srun_args <<<"${SRUN_ARGS:-}"
  read -ra py_args <<<"${PY_ARGS:-}"
  if [ -n "${GRES-gpu:$per_node}" ]; then
    srun_args=(--gres="${GRES-gpu:$per_node}" "${srun_args[@]}")
  fi
  python=$(find_python)
  export_source_path
  # Two jobs on one node must not meet on a port; srun passes the variable to all ranks.
  export MASTER_PORT=${PORT:-${MASTER_PORT:-$((20000 + RANDOM % 10000))}}
  set -x
  exec srun -p "$partition" --job-name="$job_name" --ntasks="$gpus" \
    --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 "${srun_args[@]}" \
    "$python" -u "$tools/$script" "$@" "${py_args[@]}" --launcher=slurm
}
