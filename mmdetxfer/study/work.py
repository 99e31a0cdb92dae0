"""What happens in a cell: train, test, score, probe; in one process a rank.

A host takes 6 to 8 seconds to import, so that what belongs together runs together. What
is done already is found on the disk: a training goes on where it was, and the records
are written last.
"""

import argparse
import contextlib
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmdetxfer.errors import NonfiniteLossError, UserError, one_line_errors
from mmdetxfer.study.cells import PRETRAIN, PROBE
from mmdetxfer.study.files import (
    CHOSEN,
    PREDICTIONS,
    TRAINED,
    TRAINING,
    read_spec,
    trained_file,
)
from mmdetxfer.study.locks import end_with_parent
from mmdetxfer.study.logs import num_attempts
from mmdetxfer.study.plan import PROTOCOLS
from mmdetxfer.study.provenance import commit, provenance, weights_hash
from mmdetxfer.study.records import write_records
from mmdetxfer.study.resolved import config_with, half_batch, normal_form
from mmdetxfer.study.scores import mean_score, scores_of, validation_rows
from mmdetxfer.study.versions import versions_for
from mmdetxfer.text_files import write_text_atomically


def work(folder: Path, args: argparse.Namespace) -> None:
    """Do what a cell says, and write its records.

    Args:
        folder: Of the cell.
        args: The other arguments of ``main``.
    """
    spec, begun, halved = read_spec(folder), time.time(), args.halved
    _check_device(spec)
    if args.launcher == 'pytorch':
        end_with_parent()
    run = Run(folder, spec, args.launcher, halved, args.trust_checkpoint)
    if args.measure:
        run.measured()
        return
    if spec['kind'] == PROBE:
        rows, head = run.probed()
    else:
        rows, head = run.tried() if spec.get('is_trial') else run.trained_and_tested()
    if run.is_first:
        head = dict(
            key=spec['key'],
            what=spec['kind'],
            config=spec['config'],
            options=spec['options'],
            seed=spec['seed'],
            protocol=PROTOCOLS[spec['kind']],
            threads=spec['threads'],
            world_size=spec['world_size'],
            device=spec['device'],
            is_batch_halved=halved,
            versions=versions_for(
                normal_form(config_with(spec['config'], spec['options']))
            ),
            **head,
            volatile=dict(
                seconds=_seconds(folder, time.time() - begun),
                attempt=num_attempts(folder),
                host=os.uname().nodename,
                commit=commit(),
            ),
        )
        write_records(folder, head, rows)


def _check_device(spec: Mapping[str, Any]) -> None:
    import torch

    if spec['device'] == 'cuda' and not torch.cuda.is_available():
        raise UserError(
            'expected a GPU, torch sees none here; install a torch that fits the '
            'driver, or leave out --gpus'
        )


def _seconds(folder: Path, seconds: float) -> float:
    """Return the seconds of this attempt and of those before that failed.

    Those of attempts that a kill ended are not known.
    """
    path = folder / 'spent.json'
    spent = json.loads(path.read_text()) if path.is_file() else 0.0
    return round(spent + seconds, 1)


class Run:
    """One cell at work.

    Args:
        folder: Of the cell.
        spec: What it is.
        launcher: 'none', 'pytorch' or 'slurm'.
        halved: Whether the batch comes in parts that are accumulated.
        trusts: Whether pickled code in checkpoints may run.
    """

    def __init__(
        self, folder: Path, spec: dict, launcher: str, halved: bool, trusts: bool
    ) -> None:
        """Take the arguments."""
        self.folder, self.spec, self.launcher = folder, spec, launcher
        self.halved, self.trusts = halved, trusts

    @property
    def is_first(self) -> bool:
        """Whether this is the first rank, which writes; known before ranks meet."""
        if self.launcher == 'none':
            return True
        rank = os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0'))
        return rank == '0'

    @property
    def begins(self) -> str | None:
        """The checkpoint that this begins with."""
        begins = self.spec['begins'] or {}
        if 'cell' in begins:
            return str(trained_file(self.folder.parent / begins['cell']))
        return begins.get('file')

    def options(self) -> dict[str, Any]:
        """Return all options of the training; of a transfer the chosen ones too."""
        options = {**self.spec['options'], **self._chosen()}
        options['randomness.seed'] = self.spec['seed']
        if self.spec['kind'] != PRETRAIN:
            # No image of a test set is looked at before the one score at the end.
            options['train_cfg.val_begin'] = 10**9
        if self.begins is not None:
            options['load_from'] = self.begins
        convention = (self.spec['begins'] or {}).get('input_convention')
        if convention is not None:
            options['input_convention'] = convention
        cfg = config_with(self.spec['config'], options)
        if self.halved:
            options |= half_batch(cfg)
        # mmengine's own, where a config says nothing of it.
        usual = dict(type='CheckpointHook', interval=1)
        keeper = (cfg.get('default_hooks') or {}).get('checkpoint', usual)
        if keeper is not None and keeper.get('max_keep_ckpts', -1) < 1:
            # The last one is what counts; the one before, should that be damaged.
            options['default_hooks.checkpoint'] = {**keeper, 'max_keep_ckpts': 2}
        hooks = [dict(one) for one in cfg.get('custom_hooks') or []]
        options['custom_hooks'] = [*hooks, dict(type='mmdetxfer.CostHook')]
        return options

    def _chosen(self) -> dict[str, Any]:
        """Return the setting with the best mean score, the first of equals."""
        choices = self.spec.get('choices') or []
        if not choices:
            return {}
        scores = [
            mean_score(self.folder.parent / one['cell'], self.spec['choosing'])
            for one in choices
        ]
        best = max(range(len(scores)), key=scores.__getitem__)
        if not math.isfinite(scores[best]):
            raise UserError(
                f'every one of {len(scores)} settings diverged; give the target others'
            )
        tried = [
            dict(
                options=one['options'],
                cell=one['cell'],
                score=score if math.isfinite(score) else None,
            )
            for one, score in zip(choices, scores, strict=True)
        ]
        text = json.dumps(dict(chosen=choices[best]['options'], tried=tried), indent=1)
        if self.is_first:
            write_text_atomically(self.folder / CHOSEN, text + '\n')
        return choices[best]['options']

    def trained_and_tested(self) -> tuple[list[dict], dict]:
        """Train and test as far as that is not done; return scores and provenance."""
        options = self.options()
        common = dict(
            config=self.spec['config'],
            launcher=self.launcher,
            trust_checkpoint=self.trusts,
        )
        training = self.folder / TRAINING
        if not (self.folder / TRAINED).is_file():
            self._train(common, options)
            if self.is_first:
                last = Path((training / 'last_checkpoint').read_text().strip())
                found = dict(checkpoint=last.name, weights_sha256=weights_hash(last))
                write_text_atomically(self.folder / TRAINED, json.dumps(found))
        rows = self._test(common, options) if self.spec.get('test') else []
        if not self.is_first:
            return [], {}
        return [*rows, *validation_rows(training)], provenance(self.folder, self.spec)

    def tried(self) -> tuple[list[dict], dict]:
        """Train and test as a trial: one that diverges has scores, the worst."""
        try:
            return self.trained_and_tested()
        except NonfiniteLossError as error:
            print(f'this setting diverges: {error}', flush=True)
        rows = [
            dict(kind='score', score=name, value=None, is_diverged=True)
            for name in self.spec['choosing']
        ]
        head = dict(begins_with=self.spec['begins'], data=self.spec['data'])
        return rows, dict(weights_sha256=None, cost=None, receipt=None, **head)

    def _train(self, common: dict, options: dict) -> None:
        from mmdetxfer.engine.launching import train

        train(
            SimpleNamespace(
                **common,
                work_dir=str(self.folder / TRAINING),
                resume='auto',
                amp=False,
                auto_scale_lr=False,
                cfg_options=options,
            )
        )

    def measured(self) -> None:
        """Train for a few iterations, and write down what they took."""
        from mmdetxfer.engine.launching import train
        from mmdetxfer.engine.measure_hook import Measured, MeasureHook

        options = self.options()
        hook = MeasureHook(self.folder / 'measured.json')
        # What names parts of weights has none to name here.
        kept = [
            one
            for one in options['custom_hooks']
            if not str(one['type']).endswith(('TransferHook', 'CostHook'))
        ]
        with contextlib.suppress(Measured):
            train(
                SimpleNamespace(
                    config=self.spec['config'],
                    launcher=self.launcher,
                    trust_checkpoint=self.trusts,
                    work_dir=str(self.folder / TRAINING),
                    resume=None,
                    amp=False,
                    auto_scale_lr=False,
                    cfg_options={**options, 'custom_hooks': kept},
                    hooks=[hook],
                )
            )

    def _test(self, common: dict, options: dict) -> list[dict]:
        """Test once, keep the predictions, and return their scores."""
        from mmengine.dist import barrier

        from mmdetxfer.engine.launching import test

        barrier()
        tested = self.spec['test']
        out = self.folder / PREDICTIONS[self.spec['task']]
        test(
            SimpleNamespace(
                **common,
                checkpoint=str(trained_file(self.folder)),
                work_dir=str(self.folder / 'tests'),
                out=str(out),
                show=False,
                show_dir=None,
                wait_time=0,
                tta=tested['tta'],
                cfg_options={**options, **tested['options'], 'load_from': None},
            )
        )
        if not self.is_first:
            return []
        own = {**self.spec['options'], **tested['options']}
        return scores_of(self.spec['task'], self.spec['config'], own, out)

    def probed(self) -> tuple[list[dict], dict]:
        """Probe all layers on all targets; return scores and provenance."""
        from mmdetxfer.study.probe_cell import probe_rows

        rows = probe_rows(self.folder, self.spec, self.begins, self.trusts)
        weights = self.begins
        if weights is not None and '://' not in weights:
            weights = weights_hash(Path(weights))
        return rows, dict(
            weights_sha256=weights,
            begins_with=self.spec['begins'],
            data=self.spec['data'],
        )


@one_line_errors
def main() -> None:
    """Work in the cell whose folder the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--halved', action='store_true')
    parser.add_argument('--measure', action='store_true')
    parser.add_argument('--trust-checkpoint', action='store_true')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    work(args.folder, args)


if __name__ == '__main__':
    main()
