"""What ``tools/probe.py`` is told: candidates, targets, layers, in a config."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdetxfer.checkpoints.settle_convention import weights_named_in
from mmdetxfer.config_files import read_config_file
from mmdetxfer.errors import UserError
from mmdetxfer.probes import ProbeSettings

SETTINGS = (
    'strengths',
    'held_out',
    'seed',
    'is_standardised',
    'strengths_of_many',
)
TUPLES = ('layers', 'shots', 'strengths', 'strengths_of_many')


@dataclass(frozen=True)
class Candidate:
    """A pre-training that is probed.

    Args:
        config: Of its network; None for one that is fine-tuned alone.
        checkpoint: Its weights, with ``{seed}`` for the seed; None draws them.
        seeds: Of the chain.
        input_convention: Of weights that do not say it themselves.
    """

    config: str | None = None
    checkpoint: str | None = None
    seeds: tuple[int, ...] = (0,)
    input_convention: Any = None


@dataclass(frozen=True)
class Target:
    """What is classified.

    Args:
        config: A classification config, whose train and test images count.
        fine_tuned: Predictions of fine-tuned candidates for its test images, with
            ``{candidate}`` and ``{seed}``.
        has_all_classes: Whether a class without an image is an error; else it does not
            count.
    """

    config: str
    fine_tuned: str | None = None
    has_all_classes: bool = True


@dataclass(frozen=True)
class ProbePlan:
    """All that ``tools/probe.py`` does.

    Args:
        candidates: By name.
        targets: By name.
        baseline: The candidate that others are compared with.
        layers: As ``tools/extract_features.py`` takes them.
        main_layer: The layer that candidates are compared at, such as 'Conv5 1x1'.
        settings: How probes are fitted.
        shots: Images a class of few-shot probes of the main layer.
        draws: How often these are drawn.
        batch_size: Images at a time.
    """

    candidates: Mapping[str, Candidate]
    targets: Mapping[str, Target]
    baseline: str
    layers: tuple[str, ...]
    main_layer: str = 'Conv5 1x1'
    settings: ProbeSettings = ProbeSettings()
    shots: tuple[int, ...] = (1, 5, 10, 25)
    draws: int = 3
    batch_size: int = 32

    @property
    def probed(self) -> list[str]:
        """Names of the candidates that have a network to probe."""
        return [name for name, one in self.candidates.items() if one.config]


def read_plan(cfg: Config, device: str) -> ProbePlan:
    """Return what a config plans; what is unknown or missing in it is refused.

    Args:
        cfg: Its keys are the arguments of ``ProbePlan``; candidates and targets are
            dicts of those of their classes, ``seeds`` serves all candidates without
            their own, and the arguments of ``ProbeSettings`` stand among the others.
        device: Where probes are fitted.
    """
    # Names with a line before are the config's own.
    content = {k: v for k, v in cfg.to_dict().items() if not k.startswith('_')}
    return plan_of(content, str(cfg.filename), device)


def plan_of(content: Mapping[str, Any], where: str, device: str) -> ProbePlan:
    """Return what plain data plan, as ``read_plan`` does.

    Args:
        content: As the config that ``read_plan`` takes.
        where: What it stands in, for messages.
        device: Where probes are fitted.
    """
    content = dict(content)
    try:
        for key in TUPLES:
            if key in content:
                content[key] = tuple(content[key])
        seeds = tuple(content.pop('seeds', (0,)))
        own = {key: content.pop(key) for key in SETTINGS if key in content}
        candidates = {
            name: Candidate(**{**one, 'seeds': tuple(one.get('seeds', seeds))})
            for name, one in content.pop('candidates').items()
        }
        targets = {name: Target(**one) for name, one in content.pop('targets').items()}
        settings = ProbeSettings(**own, device=device)
        plan = ProbePlan(candidates, targets, settings=settings, **content)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'{where}: expected candidates, targets, baseline and layers, as in '
            f'configs/transfer_cls/probes_*.py; {error}'
        ) from error
    _check(plan, where)
    return plan


def _check(plan: ProbePlan, where: str) -> None:
    """Refuse what cannot be, before anything is begun."""
    if plan.baseline not in plan.probed:
        raise UserError(
            f'{where}: expected a baseline among {", ".join(plan.probed)}, got '
            f'{plan.baseline!r}'
        )
    if plan.draws < 1 or min((1, *plan.shots)) < 1 or not plan.layers:
        raise UserError(
            f'{where}: expected layers, and shots and draws from 1, got {plan.layers}, '
            f'{plan.shots} and {plan.draws}'
        )
    for name, one in plan.candidates.items():
        if not one.seeds:
            raise UserError(f'{where}: {name}: expected a seed or more, got none')
    for name, target in plan.targets.items():
        pattern = target.fine_tuned
        if pattern and not all(one in pattern for one in ('{candidate}', '{seed}')):
            raise UserError(
                f'{where}: {name}: expected fine_tuned with {{candidate}} and '
                f'{{seed}}, got {pattern!r}'
            )


def check_files(plan: ProbePlan) -> None:
    """Refuse files that are not there, and one network that counts as several.

    Args:
        plan: The plan.
    """
    for name in plan.probed:
        _check_network(name, plan.candidates[name])
    for name, target in plan.targets.items():
        _check_file(name, target.config)


def _check_network(where: str, one: Candidate) -> None:
    _check_file(where, one.config)
    for seed in one.seeds:
        checkpoint = one.checkpoint and one.checkpoint.replace('{seed}', str(seed))
        if checkpoint and '://' not in checkpoint:
            _check_file(where, checkpoint)
    begins = one.checkpoint
    if begins is None:
        begins = next(weights_named_in(read_config_file(one.config)), None)
    if begins is not None and '{seed}' not in begins and len(one.seeds) > 1:
        raise UserError(
            f'{where}: expected {{seed}} in its checkpoint, or one seed: {begins} is '
            f'one network, which {len(one.seeds)} seeds would count as several'
        )


def _check_file(where: str, path: str) -> None:
    if not Path(path).is_file():
        raise UserError(f'{where}: expected a file at {path}, there is none')
