"""What a study config says: candidates, targets, seeds, trials.

A candidate is a chain of stages: trainings of ours, or a file from outside. A target is
a config that begins with a candidate's last checkpoint. Candidates that share a stage
share its training.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError
from mmdetxfer.study.budget import BUDGET_KINDS

TASKS = ('detection', 'segmentation', 'classification')
Options = Mapping[str, Any]
# Names stand in tables, legends and file names; a number alone would be a measure.
_WORD = r'(?!\d+\b(?![\w-]))[A-Za-z0-9(][\w.+()-]*'
_NAME = re.compile(rf'{_WORD}(,? {_WORD})*')


@dataclass(frozen=True)
class Stage:
    """One stage of a candidate's chain.

    Args:
        config: Of its training; None for a file from outside.
        options: For that config, as ``--cfg-options``.
        file: Weights from outside, with ``{seed}`` where there is one for each seed.
        share: Of the training images; the config's innermost data set must be one
            that ``SubsetDataset`` takes.
    """

    config: str | None = None
    options: Options = field(default_factory=dict)
    file: str | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Candidate:
    """A pre-training, or none.

    Args:
        stages: The chain; empty for scratch.
        as_configured: Whether it is what a target's config begins with by itself
            (``init_cfg``, ``pretrained``), such as ImageNet's classification.
        input_convention: Of weights from outside that do not say it themselves.
        configs: Config of a target in the place of the target's own, for another
            architecture: by the target's name.
        options: More options of a target: by the target's name.
        network: Config of the network that is probed; that of the last stage by
            default. A candidate without one is not probed.
        is_longer: Whether it is transferred with the target's longer schedule.
        tried_as: The candidate whose choice of settings it takes; its own by default.
        words: What it is, for readers.
    """

    stages: tuple[Stage, ...] = ()
    as_configured: bool = False
    input_convention: Any = None
    configs: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Options] = field(default_factory=dict)
    network: str | None = None
    is_longer: bool = False
    tried_as: str | None = None
    words: str = ''

    @property
    def probed_config(self) -> str | None:
        """The config of the network that is probed."""
        trained = [stage.config for stage in self.stages if stage.config]
        return self.network or (trained[-1] if trained else None)


@dataclass(frozen=True)
class Target:
    """What candidates are transferred to.

    Args:
        task: 'detection', 'segmentation' or 'classification'.
        config: Begins with a candidate by its ``load_from``.
        scratch: Options to begin without one.
        loaded: Options to begin with one, such as ``model.backbone.init_cfg=None`` for
            a config that would read other weights first.
        longer: Options of the longer schedule.
        settings: Options that are tried, the same for every candidate.
        chosen: Options of a candidate that is not tried, because they are known: by
            its name, or 'all'.
        chosen_where: Where these come from, for the report.
        part: Options to train on a part of the train set, for trials.
        rest: Options to test on the rest of it.
        tta: Whether the test is ``--tta``.
        fractions: Options of a share of the train set, by the share; shares without
            options keep the number of epochs or iterations. Under 'longer' among them
            stand those of the longer schedule.
        words: What it is, for readers.
        occlusion: Folder of occlusion labels (detection on VOC).
        widths: Of bands around boundaries (segmentation).
    """

    task: str
    config: str
    scratch: Options = field(default_factory=lambda: dict(load_from=None))
    loaded: Options = field(default_factory=dict)
    longer: Options = field(default_factory=dict)
    settings: tuple[Options, ...] = ({},)
    chosen: Mapping[str, Options] = field(default_factory=dict)
    chosen_where: str = ''
    part: Options = field(default_factory=dict)
    rest: Options = field(default_factory=dict)
    tta: bool = False
    fractions: Mapping[float, Options] = field(default_factory=dict)
    words: str = ''
    occlusion: str | None = None
    widths: tuple[float, ...] = (1, 2, 3, 5, 8, 12, 16, 20, 24, 32, 40)


@dataclass(frozen=True)
class Study:
    """All that a study config says.

    Args:
        name: Of the file.
        question: What the study asks.
        candidates: By name.
        targets: By name.
        baseline: The candidate that the others are compared with.
        seeds: Each runs through the whole chain; trials are of the first.
        target_fractions: Shares of the targets' train sets.
        parts: Names of what is done (``study/parts``); all that fit the targets by
            default.
        probes: Arguments of ``probe_plan.ProbePlan`` but candidates and baseline;
            its targets are classification configs by name. None probes nothing.
        threads: Of each training on a CPU; a number of the key, since it changes the
            last bits.
        resamples: Of the test images, for intervals.
        options: For every training of the study.
        paper: The paper that is reproduced: its published figures stand beside ours.
        not_planned: What of the paper is left out, and why.
        budget: Planned seconds by kind of work (``BUDGET_KINDS``), to be set against
            the used ones.
    """

    name: str
    question: str
    candidates: Mapping[str, Candidate]
    targets: Mapping[str, Target]
    baseline: str
    seeds: tuple[int, ...] = (0,)
    target_fractions: tuple[float, ...] = (1.0,)
    parts: tuple[str, ...] | None = None
    probes: Mapping[str, Any] | None = None
    threads: int = 1
    resamples: int = 1000
    options: Options = field(default_factory=dict)
    paper: str | None = None
    not_planned: Mapping[str, str] = field(default_factory=dict)
    budget: Mapping[str, float] = field(default_factory=dict)


def read_study(path: str | Path, cfg_options: Options | None = None) -> Study:
    """Read a study config; what is unknown, missing or cannot be is refused.

    Args:
        path: Of the config.
        cfg_options: Overrides.
    """
    # What only runs cells starts without it.
    from mmdetxfer.config_files import read_config_file

    path = Path(path)
    if not path.is_file():
        raise UserError(f'study not found: expected a config file at {path}')
    cfg = read_config_file(path)
    cfg.merge_from_dict(dict(cfg_options or {}))
    content = {k: v for k, v in cfg.to_dict().items() if not k.startswith('_')}
    content.setdefault('name', path.stem)
    try:
        content['candidates'] = {
            name: _candidate(one) for name, one in content.get('candidates', {}).items()
        }
        content['targets'] = {
            name: Target(**_with_tuples(one, 'settings', 'widths'))
            for name, one in content.get('targets', {}).items()
        }
        tuples = ('seeds', 'target_fractions', 'parts')
        study = Study(**_with_tuples(content, *tuples))
    except (TypeError, AttributeError) as error:
        known = ', '.join(one.name for one in fields(Study))
        raise UserError(
            f'{path}: expected a study as in configs/studies/my_data.py, with {known}; '
            f'{error}'
        ) from error
    _check(study, str(path))
    return study


def _candidate(content: Mapping[str, Any]) -> Candidate:
    stages = tuple(Stage(**one) for one in content.get('stages') or ())
    return Candidate(**{**content, 'stages': stages})


def _with_tuples(content: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    given = {key: tuple(content[key]) for key in keys if content.get(key) is not None}
    return {**content, **given}


def _check(study: Study, where: str) -> None:
    """Refuse what cannot be, before anything is begun."""

    def need(is_right: bool, text: str) -> None:
        if not is_right:
            raise UserError(f'{where}: expected {text}')

    names = ', '.join(study.candidates)
    need(len(study.candidates) > 1, f'two candidates or more, got {names or "none"}')
    need(
        study.baseline in study.candidates,
        f'a baseline among {names}, got {study.baseline!r}',
    )
    need(bool(study.targets or study.probes), 'targets or probes, got neither')
    need(
        bool(study.seeds) and len(set(study.seeds)) == len(study.seeds),
        f'different seeds, one or more, got {list(study.seeds)}',
    )
    need(
        all(0 < one <= 1 for one in study.target_fractions),
        f'target_fractions above 0 and up to 1, got {list(study.target_fractions)}',
    )
    need(
        set(study.budget) <= set(BUDGET_KINDS),
        f'a budget of {", ".join(BUDGET_KINDS)}, got {", ".join(study.budget)}',
    )
    need(study.threads >= 1, f'1 thread or more, got {study.threads}')
    need(study.resamples >= 2, f'2 resamples or more, got {study.resamples}')
    for name in (*study.candidates, *study.targets):
        need(
            bool(_NAME.fullmatch(name)),
            'names of letters, digits and . + - _ ( ) with single spaces and commas, '
            f'no word of them a number (resnet-50, not resnet 50), got {name!r}',
        )
    for name, one in study.candidates.items():
        _check_candidate(study, name, one, need)
    for name, target in study.targets.items():
        _check_target(study, name, target, need)


def _check_candidate(study: Study, name: str, one: Candidate, need: Any) -> None:
    for place, stage in enumerate(one.stages):
        need(
            (stage.config is None) != (stage.file is None),
            f'{name}: a config or a file for each stage, got {stage}',
        )
        need(
            stage.file is None or place == 0,
            f'{name}: a file from outside as the first stage alone, got {stage.file}',
        )
        need(
            0 < stage.share <= 1,
            f'{name}: a share above 0 and up to 1, got {stage.share}',
        )
    need(
        not (one.stages and one.as_configured),
        f'{name}: stages, or as_configured for the weights that configs name',
    )
    need(
        one.tried_as is None or one.tried_as in study.candidates,
        f'{name}: tried_as one of {", ".join(study.candidates)}, got {one.tried_as!r}',
    )
    source = study.candidates[one.tried_as or name]
    need(
        source.tried_as is None or one.tried_as is None,
        f'{name}: tried_as a candidate with trials of its own, {one.tried_as} takes '
        f'those of {source.tried_as}',
    )
    unknown = [key for key in (*one.configs, *one.options) if key not in study.targets]
    need(
        not unknown,
        f'{name}: configs and options for targets among '
        f'{", ".join(study.targets)}, got {", ".join(unknown)}',
    )


def _check_target(study: Study, name: str, target: Target, need: Any) -> None:
    need(
        target.task in TASKS,
        f'{name}: a task among {", ".join(TASKS)}, got {target.task!r}',
    )
    need(bool(target.settings), f'{name}: a setting or more, got none')
    need(
        len(target.settings) == 1 or bool(target.part and target.rest),
        f'{name}: part and rest of its train set, which {len(target.settings)} '
        'settings are tried on: never on the test set',
    )
    unknown = [
        key for key in target.chosen if key not in study.candidates and key != 'all'
    ]
    need(
        not unknown,
        f'{name}: chosen settings for {", ".join(study.candidates)} or all, got '
        f'{", ".join(unknown)}',
    )
    _check_clashes(name, target, need)
    if any(one.is_longer for one in study.candidates.values()):
        shares = [one for one in target.fractions.values() if 'longer' not in one]
        both = sorted({key for one in shares for key in one} & {*target.longer})
        need(
            not both,
            f"{name}: 'longer' of its own in each of fractions that names what longer "
            f'names, got {", ".join(both)} without',
        )
    is_chosen = {
        (one.tried_as or key) in target.chosen or 'all' in target.chosen
        for key, one in study.candidates.items()
    }
    need(
        len(is_chosen) == 1,
        f'{name}: the same number of trials for every candidate, chosen settings are '
        f'for {", ".join(target.chosen)} alone',
    )


def _check_clashes(name: str, target: Target, need: Any) -> None:
    """Refuse options that settings name too: one of the two would do nothing."""
    settings = {key for one in target.settings for key in one}
    settings |= {key for one in target.chosen.values() for key in one}
    others = dict(
        longer=target.longer,
        part=target.part,
        rest=target.rest,
        fractions={key for one in target.fractions.values() for key in one},
    )
    for word, options in others.items():
        both = ', '.join(sorted(settings.intersection(options)))
        need(not both, f'{name}: {word} without what its settings name, got {both}')


def tried(study: Study, candidate: str, target: Target) -> Sequence[Options]:
    """Return the settings that are tried for a candidate: one means no trials.

    Args:
        study: The study.
        candidate: Name of the candidate.
        target: The target.
    """
    name = study.candidates[candidate].tried_as or candidate
    known = target.chosen.get(name, target.chosen.get('all'))
    return [known] if known is not None else target.settings
