#!/usr/bin/env bash
# From nothing to an answer: sets up, draws a world of labelled scenes, trains three
# pre-trainings on it, transfers them to detection, segmentation and classification, probes
# their layers, and writes a report of which to start from (configs/studies/embedded.py).
# Usage: bash tools/quickstart.sh [--fast | --seeds 3] [JOBS]
#   --fast     two candidates, a tenth of the training, minutes: that it runs
#   --seeds 3  three seeds and grids of settings, an hour and a half: with claims
# JOBS cells run at a time, 2 by default. It can be killed, and goes on where it was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
}

study=embedded jobs=2
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage && exit 0 ;;
    --fast) study=embedded_fast ;;
    --seeds)
      [ "${2:-}" = 3 ] || { echo "error: --seeds: expected 3, got '${2:-}'" >&2 && exit 1; }
      study=embedded_seeds
      shift
      ;;
    *)
      if ! [[ $1 =~ ^[1-9][0-9]*$ ]]; then
        echo "error: expected --fast, --seeds 3 or a number of jobs, got '$1'" >&2
        exit 1
      fi
      jobs=$1
      ;;
  esac
  shift
done

bash tools/setup_env.sh
python=.venv/bin/python
export PYTHONWARNINGS=ignore::UserWarning

echo '[quick start] drawing two worlds of labelled scenes (about 20 s)'
"$python" tools/make_world.py --out work_dirs/world_source --size 2000 \
  --formats imagenet_loc >/dev/null
target=work_dirs/world_small
"$python" tools/make_world.py --out "$target" --size small \
  --formats voc2007 voc2012 sbd occlusion caltech256 sun397 flowers102 >/dev/null
"$python" tools/dataset_converters/voc_sbd.py "$target/VOCdevkit" \
  "$target/VOCdevkit/VOCaug" >/dev/null

echo "[quick start] the study configs/studies/$study.py; its cells in work_dirs/cells"
"$python" tools/study.py run "configs/studies/$study.py" --jobs "$jobs"

echo '[quick start] done. Your own data and checkpoints: configs/studies/my_data.py'
