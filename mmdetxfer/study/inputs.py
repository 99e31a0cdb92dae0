"""What cells read: data, and the weights that configs bring along."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from mmdetxfer.checkpoints.settle_convention import weights_named_in
from mmdetxfer.errors import UserError
from mmdetxfer.study.cells import Plan
from mmdetxfer.study.reading import Options
from mmdetxfer.study.resolved import config_with, data_paths


def data_of(cfg: Config, spec: Mapping) -> list[Path]:
    """Return all data that a cell reads, each once.

    Args:
        cfg: Of its training or its network.
        spec: What it is.
    """
    configs = [cfg]
    if (spec.get('test') or {}).get('options'):
        tested = {**spec['options'], **spec['test']['options']}
        configs.append(config_with(spec['config'], tested))
    targets = (spec.get('probes') or {}).get('targets', {})
    configs += [config_with(one['config'], {}) for one in targets.values()]
    paths = [path for one in configs for path in data_paths(one)]
    return list(dict.fromkeys(paths))


def check_begins_without(config: str, options: Options, what: str, cure: str) -> None:
    """Refuse weights that a config brings along where a candidate has none.

    Args:
        config: Its path.
        options: For it.
        what: Is planned.
        cure: What the user can do.
    """
    named = list(weights_named_in(config_with(config, options)))
    if named:
        raise UserError(
            f'{what}: expected a config that begins without weights, as the candidate '
            f'has no stages, {config} begins with {named[0]}; {cure}, or say '
            'as_configured=True'
        )


def weights_of(spec: Mapping) -> list[str]:
    """Return the files that a config itself begins with.

    Args:
        spec: What a cell is.
    """
    # What begins elsewhere does not begin with the config's own file.
    own = {'load_from': None} if spec['begins'] else {}
    cfg = config_with(spec['config'], {**spec['options'], **own})
    return [one for one in weights_named_in(cfg) if '://' not in one]


def missing_inputs(plan: Plan) -> dict[str, list[str]]:
    """Return what is not there, by cell: data, and files from outside.

    Args:
        plan: The plan.
    """
    found = {
        key: [str(path) for path in cell.reads if not path.exists()]
        for key, cell in plan.cells.items()
    }
    return {key: paths for key, paths in found.items() if paths}
