"""Cells of a study: what is trained, tested and probed, each under a key.

A cell lies in ``work_dirs/cells/<key>/`` and is shared between studies. Its key chains
the keys of the cells it needs with all that decides its numbers: the resolved config,
files from outside, data, seed, threads, ranks, kind of device, versions of torch and
the hosts, and a protocol number for its kind. A plan needs no data: what is absent is
'unknown until present' in the key, and gets its own when it is there.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetxfer.study.cells import PRETRAIN, PROBE, TRANSFER, Cell, Machine, Plan, Use
from mmdetxfer.study.fingerprint import UNKNOWN, fingerprint, kept_fingerprint
from mmdetxfer.study.inputs import check_begins_without, data_of, weights_of
from mmdetxfer.study.reading import TASKS, Options, Study, tried
from mmdetxfer.study.resolved import (
    config_with,
    normal_form,
    share_of_images,
)
from mmdetxfer.study.versions import versions_for
from mmdetxfer.text_files import sha256_of_file

# Raised by hand when the numbers of a kind change though nothing in the key does. What
# they depend on is below: packages of this repository whose change is a reason to ask.
PROTOCOLS = {PRETRAIN: 1, TRANSFER: 1, PROBE: 4}
_TRAINED = (
    'checkpoints',
    'chips',
    'datasets',
    'engine',
    'evaluation',
    'models',
    'study/resolved',
    'study/work',
)
COVERS = {
    PRETRAIN: _TRAINED,
    TRANSFER: (*_TRAINED, 'predictions', 'scoring', 'study/scores'),
    PROBE: (
        'checkpoints',
        'datasets',
        'engine',
        'extraction',
        'feature_files',
        'models',
        'probe_plan',
        'probes',
        'probing',
        'study/probe_cell',
    ),
}
# What chooses a setting: the mean of these scores on the rest of the train set.
CHOOSING = {
    'detection': ('AP50', 'AP70'),
    'segmentation': ('mIoU',),
    'classification': ('top-1',),
}


def planned(
    study: Study,
    machine: Machine,
    tasks: Sequence[str] = TASKS,
    has_probes: bool = True,
) -> Plan:
    """Return all cells of a study.

    Args:
        study: The study.
        machine: Where it runs.
        tasks: Targets of other tasks are left out: no part asks for them.
        has_probes: Whether a part asks for probes.
    """
    return _Planner(study, machine).run(tasks, has_probes)


class _Planner:
    """Makes the cells; each fingerprint and file is looked at once."""

    def __init__(self, study: Study, machine: Machine) -> None:
        self.study, self.machine = study, machine
        self.plan = Plan(study, machine)
        self._fingerprints: dict[Path, str] = {}
        self._files: dict[str, str] = {}

    def run(self, tasks: Sequence[str], has_probes: bool) -> Plan:
        """Plan pre-trainings, transfers and probes, seed by seed."""
        study = self.study
        targets = [name for name, one in study.targets.items() if one.task in tasks]
        probes = study.probes if has_probes else None
        for seed in study.seeds:
            for name in study.candidates:
                self._chain(name, seed)
            for target in targets:
                for share in study.target_fractions:
                    for name in study.candidates:
                        self._transfer(name, target, share, seed)
            for name, one in study.candidates.items():
                if probes and one.probed_config and not one.is_longer:
                    self._probe(name, seed)
        return self.plan

    def _chain(self, name: str, seed: int) -> tuple[dict | None, tuple[str, ...]]:
        """Return what a transfer begins with, and the cells that it needs."""
        begins: dict | None = None
        needs: tuple[str, ...] = ()
        candidate = self.study.candidates[name]
        for place, stage in enumerate(candidate.stages):
            if stage.file is not None:
                begins = dict(file=stage.file.replace('{seed}', str(seed)))
                if candidate.input_convention is not None:
                    begins['input_convention'] = candidate.input_convention
                continue
            options = {**self.study.options, **stage.options}
            cfg = config_with(stage.config, options)
            options |= share_of_images(cfg, stage.share)
            spec = dict(config=stage.config, begins=begins, seed=seed)
            if begins is None:
                options = {'load_from': None, **options}
            cell = self._cell(PRETRAIN, {**spec, 'options': options}, needs)
            self._use(cell, 'pretrain', candidate=name, seed=seed, stage=place)
            begins, needs = dict(cell=cell.key), (cell.key,)
        return begins, needs

    def _transfer(self, name: str, target: str, share: float, seed: int) -> None:
        """Plan the trials of the first seed, and the transfer."""
        settings = tried(self.study, name, self.study.targets[target])
        first = self.study.seeds[0]
        of = dict(target=target, share=share)
        choices: list[dict] = []
        if len(settings) > 1:
            source = self.study.candidates[name].tried_as or name
            for setting in settings:
                spec, needs = self._training(source, **of, seed=first, trial=setting)
                trial = self._cell(TRANSFER, spec, needs)
                choices.append(dict(cell=trial.key, options=dict(setting)))
                if seed == first and source == name:
                    labels = dict(candidate=name, seed=first, setting=setting, **of)
                    self._use(trial, 'trial', **labels)
        spec, needs = self._training(name, **of, seed=seed)
        if not choices:
            spec['options'] |= settings[0]
        spec['choices'] = choices
        final = self._cell(TRANSFER, spec, (*needs, *(one['cell'] for one in choices)))
        self._use(final, 'final', candidate=name, seed=seed, **of)

    def _training(
        self,
        name: str,
        target: str,
        share: float,
        seed: int,
        trial: Options | None = None,
    ) -> tuple[dict, tuple[str, ...]]:
        """Return one training on a target and its test, and the cells it needs.

        Args:
            name: Of the candidate.
            target: Name of the target.
            share: Of its train set.
            seed: Of the chain.
            trial: A setting that is tried on a part of the train set.
        """
        candidate, own = self.study.candidates[name], self.study.targets[target]
        begins, needs = self._chain(name, seed)
        config = candidate.configs.get(target, own.config)
        options = dict(self.study.options)
        if begins is not None:
            options |= own.loaded
        elif candidate.as_configured:
            options['load_from'] = None
        else:
            options |= own.scratch
        # Its own are nearer than those of all candidates.
        options |= candidate.options.get(target, {})
        is_trial = trial is not None
        if is_trial:
            options |= trial
        of_share = dict(own.fractions.get(share, {}))
        longer = of_share.pop('longer', own.longer)
        options |= of_share
        if candidate.is_longer and not is_trial:
            options |= longer
        if is_trial:
            options |= own.part
        options |= share_of_images(config_with(config, options), share)
        if begins is None and not candidate.as_configured:
            cure = (
                "take it away by scratch of the target, such as {'load_from': None, "
                "'model.backbone.init_cfg': None}"
            )
            check_begins_without(config, options, f'{name} on {target}', cure)
        spec = dict(
            config=config,
            begins=begins,
            seed=seed,
            options=options,
            task=own.task,
            test=dict(options=dict(own.rest) if is_trial else {}, tta=own.tta),
            choices=[],
            choosing=list(CHOOSING[own.task]),
            is_trial=is_trial,
        )
        return spec, needs

    def _probe(self, name: str, seed: int) -> None:
        """Plan the probes of all layers of a candidate on all probed targets."""
        candidate, probes = self.study.candidates[name], dict(self.study.probes)
        begins, needs = self._chain(name, seed)
        if begins is None and not candidate.as_configured:
            config, cure = candidate.probed_config, 'give the candidate another network'
            check_begins_without(config, {}, f'probe of {name}', cure)
        spec = dict(
            config=candidate.probed_config,
            begins=begins,
            seed=seed,
            options={},
            probes=probes,
        )
        cell = self._cell(PROBE, spec, needs)
        self._use(cell, 'probe', candidate=name, seed=seed)

    def _cell(self, kind: str, spec: dict, needs: tuple[str, ...]) -> Cell:
        """Return the cell of a specification, the same one for the same."""
        cfg = config_with(spec['config'], spec['options'])
        begins = spec['begins'] or {}
        data, weights = data_of(cfg, spec), weights_of(spec)
        form = normal_form(cfg)
        files = [begins['file']] if 'file' in begins else []
        content = dict(
            kind=kind,
            protocol=PROTOCOLS[kind],
            config=form,
            begins=self._file(files[0]) if files else begins.get('cell'),
            weights=[self._file(one) for one in weights],
            input_convention=begins.get('input_convention'),
            seed=spec['seed'],
            # Two that are not there must not be the same.
            data=[
                f'{one}: {path}' if one == UNKNOWN else one
                for path, one in ((path, self._fingerprint(path)) for path in data)
            ],
            test=spec.get('test'),
            choices=spec.get('choices'),
            choosing=spec.get('choosing'),
            probes=self._probed(spec.get('probes')),
            threads=self.study.threads,
            world_size=self.machine.world_size,
            device=self.machine.device,
            versions=versions_for(form),
        )
        text = json.dumps(content, sort_keys=True, default=str)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        whole = dict(
            key=key,
            kind=kind,
            **spec,
            data={
                f'{place} {path.name}': self._fingerprint(path)
                for place, path in enumerate(data)
            },
            threads=self.study.threads,
            world_size=self.machine.world_size,
            device=self.machine.device,
        )
        local = [
            Path(one)
            for one in (*files, *weights)
            if '://' not in one and not one.endswith('(pretrained=True)')
        ]
        reads = (*data, *local)
        cell = Cell(key, whole, tuple(dict.fromkeys(needs)), content, reads)
        return self.plan.cells.setdefault(key, cell)

    def _use(self, cell: Cell, role: str, **labels: Any) -> None:
        use = Use(cell.key, role, **labels)
        if use not in self.plan.uses:
            self.plan.uses.append(use)

    def _fingerprint(self, path: Path) -> str:
        """Return the fingerprint of data, made once."""
        if path not in self._fingerprints:
            kept = self.machine.cells.parent / 'fingerprints'
            before = kept_fingerprint(path, kept)
            self._fingerprints[path] = fingerprint(path, kept)
            if before not in (None, self._fingerprints[path]) and path.exists():
                self.plan.changed.append(path)
        return self._fingerprints[path]

    def _file(self, file: str) -> str:
        """Return the hash of a file from outside, or what names it until it is here."""
        if file not in self._files:
            if '://' in file:
                self._files[file] = file
            elif Path(file).is_file():
                self._files[file] = sha256_of_file(Path(file))
            else:
                self._files[file] = f'{UNKNOWN}: {file}'
        return self._files[file]

    def _probed(self, probes: Mapping | None) -> dict | None:
        """Return what of the probes decides their numbers."""
        if probes is None:
            return None
        targets = {
            name: {**one, 'config': normal_form(config_with(one['config'], {}))}
            for name, one in probes['targets'].items()
        }
        return {**probes, 'targets': targets}
