#!/usr/bin/env bash
# Makes .venv in the repository: the versions of tools/constraints.txt, mmcv with its ops, and
# this package, editable. A finished set-up is left as it is, a killed one is repaired.
#
# Usage: bash tools/setup_env.sh [--download DIR | --offline DIR]
#   --download DIR  set up here, then put into DIR all that another machine needs
#   --offline DIR   install from the files in DIR alone (compute nodes without a network)
# Settings from the environment:
#   PYTHON                the Python to use (default: python3.11)
#   MMDETXFER_WHEELS      a folder to look into first for a ready mmcv wheel
#   TORCH_CUDA_ARCH_LIST  the GPUs to build mmcv's ops for (default: those of this machine)
#   MAX_JOBS              how many files of mmcv to compile at once
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$tools")
venv=$root/.venv
py=$venv/bin/python
stamp=$venv/mmdetxfer-setup.txt
log=$root/work_dirs/setup_env.log
pins=$tools/constraints.txt
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mmdetxfer/wheels
offline='' download='' source_options=()

# shellcheck source=tools/setup_mmcv.sh
source "$tools/setup_mmcv.sh"

say() { echo "[setup] $*"; }

fail() {
  echo "[setup] error: $*" >&2
  exit 1
}

# Runs a command with its output in the log; prints the log's end if the command fails.
logged() {
  echo "+ $*" >>"$log"
  if ! "$@" >>"$log" 2>&1; then
    tail -n 25 "$log" >&2
    fail "this failed: $* (whole output: $log)"
  fi
}

step() {
  local text=$1 start=$SECONDS
  shift
  say "$text ..."
  "$@"
  say "    took $((SECONDS - start)) s"
}

pin() { sed -n "s/^$1==//p" "$pins"; }

# -P: what lies in the current folder must not be imported instead of the real thing.
pip() { logged "$py" -P -m pip "$@"; }

install() { pip install --no-build-isolation -c "$pins" "${source_options[@]}" "$@"; }

distributions() { "$py" -P "$root/mmdetxfer/doctor/distributions.py" "$@"; }

read_arguments() {
  local folder
  case "${1:-}" in
    '') ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" && exit 0 ;;
    --download | --offline)
      [ $# = 2 ] || fail "expected one folder after $1, came: $*"
      [ "$1" = --offline ] || mkdir -p "$2"
      folder=$(cd "$2" 2>/dev/null && pwd) || fail "$1: there is no folder $2"
      declare -g "${1#--}=$folder"
      ;;
    *) fail "expected --download DIR, --offline DIR or nothing, came: $*" ;;
  esac
}

# What a user's settings would add to every pip call, and what must not leak into the new Python.
clean_environment() {
  unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX
  export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
  if [ -n "$offline" ]; then
    unset PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS
    export PIP_CONFIG_FILE=/dev/null
    source_options=(--no-index --find-links "$offline")
  fi
}

# One set-up at a time. Children keep the lock, so that a run after a kill waits until the last
# orphaned pip is gone.
take_lock() {
  mkdir -p "$root/work_dirs"
  exec 9>>"$root/work_dirs/.setup_env.lock"
  flock --nonblock 9 && return
  say 'another set-up of this folder is running, waiting for it'
  flock 9
}

setup_key() {
  cat "$pins" "$root/pyproject.toml" "$root/mmdetxfer/__init__.py" "$tools"/setup_*.sh |
    sha256sum | cut -d' ' -f1
  echo "$root" "$(gpu_kinds)"
}

# True if a set-up with this very key was finished and everything it installed is still there.
is_ready() {
  [ -f "$stamp" ] && [ -x "$py" ] || return 1
  [ "$(sed -n 's/^# //p' "$stamp")" = "$(setup_key)" ] || return 1
  distributions verify "$stamp" | sed 's/^/[setup] /' || return 1
  [ "$("$py" -P -c 'import mmdetxfer; print(mmdetxfer.__path__[0])')" = "$root/mmdetxfer" ]
}

find_python() {
  local name version found='' names=(python3.11 python3 python)
  [ -z "${PYTHON:-}" ] || names=("$PYTHON")
  for name in "${names[@]}"; do
    version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if [ "$version" = 3.11 ]; then python=$name && return; fi
    found+=" $name is $version,"
  done
  fail "Python 3.11 is needed; looked for ${names[*]}:${found:- none runs,} none is 3.11." \
    'Install it (apt-get install python3.11 python3.11-venv python3.11-dev)' \
    'or name it: PYTHON=/path/to/python3.11'
}

# Stops with the cure if the machine lacks packages for the named purposes: run, build.
need_packages_to() {
  local missing
  missing=$("${python:-$py}" -P "$root/mmdetxfer/doctor/machine.py" "$@")
  [ -z "$missing" ] || fail "this machine lacks $missing. Install with: apt-get install -y $missing"
}

# What slim images lack, all of it at once, before anything is downloaded.
check_machine() {
  if [ -n "$(ready_mmcv_wheels)" ]; then need_packages_to run; else need_packages_to run build; fi
}

venv_works() {
  [ -x "$py" ] || return 1
  "$py" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || return 1
  # an environment that was moved works, but not the commands in its bin
  grep -q "^command = .* $venv$" "$venv/pyvenv.cfg" || return 1
  distributions clean | sed 's/^/[setup]     removed, damaged: /'
  "$py" -P -m pip --version >/dev/null 2>&1
}

make_venv() {
  if ! venv_works; then
    [ ! -e "$venv" ] || say '    .venv is not a whole Python 3.11 environment: making it again'
    rm -rf "$venv"
    logged "$python" -P -m venv "$venv"
  fi
  install pip setuptools wheel ninja
}

install_packages() {
  install --editable "$root[openmmlab,mim,study,timm,dev]"
  # its own requirements would pull setuptools down to 60.2; what it imports is in the extra
  install --no-deps openmim
}

check_result() {
  logged "$py" -P "$root/mmdetxfer/doctor/import_probe.py" \
    torch cv2 mmcv._ext mmdet mmseg mmpretrain mim numba pyarrow mmdetxfer
}

write_stamp() {
  setup_key | sed 's/^/# /' >"$stamp.part"
  distributions freeze "$pins" >>"$stamp.part"
  mv "$stamp.part" "$stamp"
}

set_up() {
  find_python
  check_machine
  : >"$log"
  rm -f "$stamp"
  say "making $venv: about 2 minutes, and 10 to 20 more if mmcv must be compiled"
  step '1/5 Python environment (about 10 s)' make_venv
  step "2/5 torch $(pin torch) (about 1 minute, 5.5 GB)" install torch torchvision
  step '3/5 the hosts, mim and this package, editable (about 30 s)' install_packages
  step "4/5 mmcv $(pin mmcv) with its ops (seconds if there is a ready wheel)" install_mmcv
  step '5/5 looking whether everything imports (about 10 s)' check_result
  write_stamp
  say "done in $SECONDS s. To look at it: .venv/bin/python tools/doctor.py"
}

# All wheels that are installed here, and mmcv as a wheel and as source (for another GPU).
fill_download() {
  local part=$download/.part
  rm -rf "$part" && mkdir "$part"
  distributions freeze "$pins" | grep -v '^mmcv==' >"$part/all.txt"
  pip wheel --no-deps --no-build-isolation -w "$part" -r "$part/all.txt"
  pip download --no-deps --no-build-isolation --no-cache-dir --no-binary mmcv -d "$part" \
    "mmcv==$(pin mmcv)"
  [ -n "$(ready_mmcv_wheels)" ] || build_mmcv
  cp "$(ready_mmcv_wheels | head -n 1)" "$part/"
  rm "$part/all.txt"
  mv "$part"/* "$download/" && rmdir "$part"
}

main() {
  read_arguments "$@"
  clean_environment
  take_lock
  if is_ready; then say '.venv is ready'; else set_up; fi
  [ -z "$download" ] || step "filling $download (about 3 GB)" fill_download
}

main "$@"
