# shellcheck shell=bash
# The part of setup_env.sh that finds, builds and tries the mmcv wheel; sourced by it.
#
# A wheel of mmcv fits one mmcv, one torch, one Python and the GPUs that it was compiled for, but
# its file name says nothing of torch and GPUs, and pip's own cache takes it for any of them.
# So wheels are kept here in a folder a combination, and each is tried before it is trusted.

# Looks where torch's build will look for it.
has_nvcc() {
  if [ -n "${CUDA_HOME:-}" ]; then
    [ -x "$CUDA_HOME/bin/nvcc" ]
  else
    command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]
  fi
}

# The compute capabilities of this machine's GPUs, e.g. "8.0;9.0"; empty without a GPU.
present_gpus() {
  { nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null || true; } |
    { grep -E '^[0-9]+\.[0-9]+$' || true; } | sort -u | paste -s -d ';'
}

# For which GPUs mmcv's ops are wanted: a list like TORCH_CUDA_ARCH_LIST, or "cpu".
gpu_kinds() {
  local kinds=${TORCH_CUDA_ARCH_LIST:-$(present_gpus)}
  if [ -n "$kinds" ] && has_nvcc; then echo "${kinds// /;}"; else echo cpu; fi
}

# Where this combination's wheel is kept.
cache_folder() {
  local kinds
  kinds=$(gpu_kinds)
  echo "$cache/mmcv-$(pin mmcv)_torch-$(pin torch)_cp311_$(uname -m)_${kinds//[;+]/-}"
}

cached_wheel() { find "$(cache_folder)" -maxdepth 1 -name '*.whl' | head -n 1; }

# The mmcv wheels that may fit, the user's own first.
ready_mmcv_wheels() {
  local folder
  for folder in ${MMDETXFER_WHEELS:+"$MMDETXFER_WHEELS"} ${offline:+"$offline"} "$(cache_folder)"; do
    find "$folder" -maxdepth 1 -name "mmcv-$(pin mmcv)-cp311-*_$(uname -m).whl" 2>/dev/null || true
  done
}

# True if the installed mmcv is the pinned one and its ops run where they are wanted.
mmcv_works() {
  [ "$(distributions freeze | sed -n 's/^mmcv==//p')" = "$(pin mmcv)" ] || return 1
  local probes=(torch mmcv._ext cpu_ops)
  [ "$(gpu_kinds)" = cpu ] || probes+=(cuda_build cuda_ops)
  "$py" -P "$root/mmdetxfer/doctor/import_probe.py" "${probes[@]}" >>"$log" 2>&1
}

install_wheel() {
  "$py" -P -m pip install --no-deps --no-index --force-reinstall "$1" >>"$log" 2>&1
}

install_mmcv() {
  local wheel
  say_if_nvcc_is_missing
  if mmcv_works; then return; fi
  while read -r wheel; do
    say "    trying $wheel"
    if install_wheel "$wheel" && mmcv_works; then return; fi
    say '    its ops do not work with this torch, on to the next'
    case "$wheel" in "$cache"/*) rm -f "$wheel" ;; esac
  done < <(ready_mmcv_wheels)
  build_mmcv
  if ! { install_wheel "$(cached_wheel)" && mmcv_works; }; then
    tail -n 25 "$log" >&2
    fail "mmcv was built, but its ops do not work (whole output: $log)"
  fi
}

say_if_nvcc_is_missing() {
  if has_nvcc; then return; fi
  [ -z "${TORCH_CUDA_ARCH_LIST:-}" ] ||
    fail "TORCH_CUDA_ARCH_LIST asks for ops for $TORCH_CUDA_ARCH_LIST, but there is no nvcc:" \
      'install the CUDA toolkit, or unset TORCH_CUDA_ARCH_LIST for ops on the CPU alone'
  if [ -n "$(present_gpus)" ]; then
    say '    note: there is an NVIDIA GPU but no nvcc, so mmcv gets ops for the CPU alone. To train'
    say '    on the GPU, install the CUDA toolkit of the version that torch names and run this again.'
  fi
}

# As many compilers as there are cores, with 2 GiB for each.
compile_jobs() {
  local cores gigabytes
  cores=$(nproc)
  gigabytes=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
  local jobs=$((gigabytes / 2 < cores ? gigabytes / 2 : cores))
  echo $((jobs < 1 ? 1 : jobs))
}

# Compiles mmcv into the cache. The wheel appears there by a rename, so that it is never half there.
build_mmcv() {
  local folder part kinds
  folder=$(cache_folder) kinds=$(gpu_kinds)
  need_packages_to build
  mkdir -p "$folder"
  exec 8>>"$folder/.lock"
  flock 8
  if [ -n "$(cached_wheel)" ]; then return; fi
  part=$folder/.part
  rm -rf "$part" && mkdir "$part"
  say "    compiling mmcv's ops for ${kinds}, 10 to 20 minutes on two cores; output in $log"
  if ! compile_mmcv "$kinds" "$part"; then
    tail -n 25 "$log" >&2
    fail "mmcv did not compile (whole output: $log)"
  fi
  mv "$part"/*.whl "$folder/"
  rm -rf "$part"
  exec 8>&-
}

# The environment decides what mmcv's setup.py compiles; without nvcc it must not see the GPU.
compile_mmcv() {
  local kinds=$1 part=$2
  local settings=(MMCV_WITH_OPS=1 MAX_JOBS="${MAX_JOBS:-$(compile_jobs)}")
  settings+=(TMPDIR="$part" PATH="$venv/bin:$PATH")
  if [ "$kinds" = cpu ]; then
    settings+=(FORCE_CUDA=0 CUDA_VISIBLE_DEVICES=)
  else
    settings+=(FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST="$kinds")
  fi
  env "${settings[@]}" "$py" -P -m pip wheel --verbose --no-deps --no-build-isolation --no-cache-dir \
    --no-binary mmcv "${source_options[@]}" -w "$part" "mmcv==$(pin mmcv)" 2>&1 |
    tee -a "$log" |
    awk '/^ *\[[0-9]+\/[0-9]+\]/ && n++ % 10 == 0 {print "[setup]        ", $1, "files"; fflush()}'
}
