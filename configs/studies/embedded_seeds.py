"""Do findings 1 and 2 of the protocol show on the embedded world, over three seeds?

The study of embedded.py, with the settings of every candidate chosen by the same
trials (seed 0, on a part of the target's train set) and each seed run through the whole
chain.

Command: bash tools/quickstart.sh --seeds 3 (or python tools/study.py run
configs/studies/embedded_seeds.py)
Expected: of cls-det, less cls, AP70 +0.078 (+0.028 to +0.127), mIoU -0.130 (-0.302 to
+0.042), fine-tuned top-1 +0.062 (-0.004 to +0.128), that of probes -0.032 (-0.078 to
+0.014); 173 minutes of processors, 104 by the clock of two busy cores.
"""

_base_ = './embedded.py'

seeds = [0, 1, 2]
targets = dict(
    voc07=dict(chosen=dict(_delete_=True), chosen_where=''),
    voc12=dict(chosen=dict(_delete_=True), chosen_where=''),
    caltech256=dict(chosen=dict(_delete_=True), chosen_where=''),
)
# Seconds of all cells, of which two run at a time.
budget = dict(
    pretrain=1530,
    detection=4100,
    segmentation=2600,
    classification=1700,
    probe=200,
    report=60,
)
