#!/usr/bin/env bash
# From nothing to three trained models: sets up, draws a tiny world of labelled scenes, and
# trains a detector, a segmentor and a classifier of toy size on it.
# Usage: bash tools/quickstart.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/setup_env.sh
python=.venv/bin/python
world=work_dirs/world_tiny
results=()

echo "[quick start] drawing a world into $world (about 10 s)"
"$python" tools/make_world.py --out "$world" --size tiny --seed 0

for task in det seg cls; do
  for config in configs/tiny/tiny_"$task"_*.py; do
    name=$(basename "$config" .py)
    log=work_dirs/$name/quickstart.log
    mkdir -p "work_dirs/$name"
    echo "[quick start] training $config (seconds to a minute; output in $log)"
    if ! "$python" tools/train.py "$config" --work-dir "work_dirs/$name" >"$log" 2>&1; then
      tail -n 25 "$log" >&2
      echo "[quick start] error: this training failed: $python tools/train.py $config" >&2
      exit 1
    fi
    score=$(grep -oE '(Epoch|Iter)\(val\).*' "$log" | tail -n 1 || true)
    results+=("work_dirs/$name/" "    ${score:-no validation in its log}")
  done
done

echo
echo '[quick start] done. The models, logs and scores (of toy size: they show that it runs):'
printf '  %s\n' "$world/" "${results[@]}"
echo '[quick start] to train one again: .venv/bin/python tools/train.py configs/tiny/NAME.py'
