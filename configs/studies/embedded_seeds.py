"""Do findings 1 and 2 of the protocol show on the embedded world, over three seeds?

The study of embedded.py, with the settings of every candidate chosen by the same
trials (seed 0, on a part of the target's train set) and each seed run through the whole
chain.

Command: bash tools/quickstart.sh --seeds 3 (or python tools/study.py run
configs/studies/embedded_seeds.py)
Expected: not run as a whole yet. With schedules twice as long AP50 and AP70 of cls-det
are above those of cls by 0.078 and 0.117, means of three seeds
(configs/transfer_det/README.md).
"""

_base_ = './embedded.py'

seeds = [0, 1, 2]
targets = dict(
    voc07=dict(chosen=dict(_delete_=True), chosen_where=''),
    voc12=dict(chosen=dict(_delete_=True), chosen_where=''),
    caltech256=dict(chosen=dict(_delete_=True), chosen_where=''),
)
