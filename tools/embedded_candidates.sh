#!/usr/bin/env bash
# Makes the candidates that are compared on the embedded world, once:
#
#   bash tools/embedded_candidates.sh [JOBS]
#
#   det      detection on chips of the source images, from scratch     seeds 0 to 2
#   cls      classification of the very same images, from scratch      seeds 0 to 2
#   cls-det  detection that begins with cls of the same seed           seeds 0 to 2
#   cls-longer  cls trained on for what the detection stage costs      seeds 0 to 2
#
# into work_dirs/embedded_candidates/NAME/seed_N/ (scratch, the third candidate, is no
# file). JOBS trainings (2 by default) run at a time with one thread each, whatever the
# machine, since the number of threads changes the last bits. It can be killed at any
# time; called again, it goes on where it was. What was made by other configs is refused.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jobs="${1:-2}"
if ! [[ "$jobs" =~ ^[1-9][0-9]*$ ]]; then
    echo "expected a number of jobs, got '$jobs'" >&2
    exit 1
fi
export PYTHON=.venv/bin/python OUT=work_dirs/embedded_candidates
mkdir -p "$OUT"
# Trainings inherit the lock, so that those of a killed call hold it until they end.
exec 9> "$OUT/.lock"
if ! flock -n 9; then
    echo "another call, or trainings that a killed one left, work in $OUT;" \
        "wait for them, or kill them and call again" >&2
    exit 1
fi
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
if [ ! -x "$PYTHON" ]; then
    PYTHON=python
fi

cls=configs/cls_pretrain/cls_r18-c5
det=configs/sniper/sniper_r18-c4c5
world=world-imagenet-loc.py
# NAME SEED LAST_CHECKPOINT CONFIG [FIRST_STAGE], a line each.
first=$(for seed in 0 1 2; do
    echo "cls $seed epoch_21.pth ${cls}_1xb32-21e_$world"
    echo "det $seed epoch_4.pth ${det}_1xb16-4e_$world"
done)
second=$(for seed in 0 1 2; do
    begin="cls/seed_$seed/epoch_21.pth"
    echo "cls-det $seed epoch_4.pth ${det}-cls_1xb16-4e_$world $begin"
    echo "cls-longer $seed epoch_21.pth ${cls}-longer_1xb32-21e_$world $begin"
done)

# What the configs say, without their comments: a hash and a path, a line each.
HASHES=$("$PYTHON" tools/misc/hash_configs.py \
    $(echo "$first
$second" | cut -d ' ' -f 4 | sort -u))
export HASHES

# Trains what a line says, if its last checkpoint is not there yet.
train() {
    local folder="$OUT/$1/seed_$2" settings
    settings=$(grep -F " $4" <<< "$HASHES")
    local options=("randomness.seed=$2")
    if [ -n "${5:-}" ]; then
        options+=("load_from=$OUT/$5")
        settings+=$'\n'$(sha256sum "$OUT/$5")
    fi
    mkdir -p "$folder"
    if [ -f "$folder/settings.txt" ]; then
        if [ "$settings" != "$(cat "$folder/settings.txt")" ]; then
            echo "$folder was made by another config or first stage; remove it, and" \
                "what was made from it, and call again" >&2
            return 1
        fi
    else
        echo "$settings" > "$folder/settings.txt"
    fi
    if [ -f "$folder/$3.sha256" ]; then
        return
    fi
    echo "$1, seed $2: training in $folder (log.txt)"
    if ! "$PYTHON" tools/train.py "$4" --work-dir "$folder" --resume \
        --cfg-options "${options[@]}" >> "$folder/log.txt" 2>&1; then
        echo "$1, seed $2: failed; the end of $folder/log.txt:" >&2
        tail -n 5 "$folder/log.txt" >&2
        return 1
    fi
    echo "$1, seed $2: done"
}
export -f train

# Trains all lines, in a process group of their own, which ends with this script.
train_all() {
    set -m
    xargs -P "$jobs" -L 1 bash -c 'train "$@"' train <<< "$1" &
    group=$!
    set +m
    trap 'kill -TERM -- "-$group" 2> /dev/null; exit 1' INT TERM HUP
    wait "$group" || exit 1
    trap - INT TERM HUP
}

"$PYTHON" tools/make_world.py --out work_dirs/world_source --size 2000 \
    --formats imagenet_loc
target=work_dirs/world_small
"$PYTHON" tools/make_world.py --out "$target" --size small \
    --formats voc2007 voc2012 sbd occlusion caltech256 sun397 flowers102
"$PYTHON" tools/dataset_converters/voc_sbd.py "$target/VOCdevkit" \
    "$target/VOCdevkit/VOCaug"
train_all "$first"
train_all "$second"
echo "the embedded candidates are in $OUT"
