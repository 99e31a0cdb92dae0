"""Do chips find more than whole images for equal megapixels of training?

    python tools/benchmarks/chips_against_images.py

Trains both twins of ``configs/sniper`` on the embedded world once a seed and tests each
at one scale and over the pyramid, all as the chips' config says. Scores are VOC's AP by
area, over classes; an object under 24 px is one whose box has less than 24 x 24 pixels.
About an hour on two idle cores. It can be killed: what is finished is kept in
--work-dir, and a training goes on where it was.
"""

import argparse
import json
from dataclasses import asdict
from functools import cache
from math import isnan
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tool_runs import ROOT, all_of, hold, keep_settings, run_tool

from mmdetxfer.config_hash import config_hash
from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.json_lines import write_json_lines

TWINS = {
    'chips': 'configs/sniper/sniper_r18-c4c5_1xb16-14e_world-voc.py',
    'whole images': 'configs/sniper/sniper_r18-c4c5_1xb1-whole_world-voc.py',
}
TESTS = {'one scale': [], 'pyramid': ['--tta']}
IOU_THRESHOLDS = (0.5, 0.7)
NUM_RESAMPLES = 1000


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--small-px', type=float, default=24)
    parser.add_argument('--jobs', type=int, default=2, help='trainings at a time')
    parser.add_argument('--work-dir', default='work_dirs/chips_against_images')
    parser.add_argument('--data-root', help="a world's VOCdevkit, for both")
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='for both trainings; results of other options are refused',
    )
    return parser.parse_args()


def data_options(args: argparse.Namespace, twin: str) -> list[str]:
    """Return what names the data root in a twin's config."""
    if args.data_root is None:
        return []
    trained = 'dataset.dataset' if twin == 'chips' else 'dataset.datasets.{}'
    keys = [f'train_dataloader.{trained.format(k)}' for k in range(3)]
    keys += ['val_dataloader.dataset', 'test_dataloader.dataset']
    root = Path(args.data_root).resolve()
    return [f'{key}.data_root={root}/' for key in dict.fromkeys(keys)]


def run_seed(args: argparse.Namespace, twin: str, seed: int) -> dict[str, Path]:
    """Train and test one twin with one seed, if that is not done; say where it is."""
    folder = Path(args.work_dir).resolve() / twin.replace(' ', '_') / f'seed_{seed}'
    settings = dict(
        config=hash_of(TWINS[twin]),
        tested_as=hash_of(TWINS['chips']),
        cfg_options=args.cfg_options,
        data_root=args.data_root,
    )
    keep_settings(folder, settings)
    log = folder / 'log.txt'
    # In a folder that says no test, the training may be unfinished.
    found = {test: folder / f'{test.replace(" ", "_")}.npz' for test in TESTS}
    if not all(path.is_file() for path in found.values()):
        options = ['--cfg-options', f'randomness.seed={seed}', *args.cfg_options]
        options += data_options(args, twin)
        print(f'training on {twin}, seed {seed}, in {folder}', flush=True)
        training = [TWINS[twin], '--work-dir', folder, '--resume', *options]
        run_tool('train.py', training, log)
        checkpoint = (folder / 'last_checkpoint').read_text().strip()
        for test, switches in TESTS.items():
            arguments = [TWINS['chips'], checkpoint, '--out', found[test], *switches]
            arguments += ['--work-dir', folder / 'tests']
            own = data_options(args, 'chips')
            run_tool('test.py', arguments + ['--cfg-options', *own] * bool(own), log)
    found['record'] = folder / 'input_pixels.json'
    return found


@cache
def hash_of(config: str) -> str:
    """Return a config's hash, read once: mmengine cannot read in two threads."""
    return config_hash(ROOT / config)


def score(args: argparse.Namespace, runs: dict) -> tuple[list[dict], list[dict]]:
    """Return one record a twin, seed and test, and one a difference of the twins."""
    import numpy as np
    from mmdet.registry import DATASETS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from mmdetxfer.evaluation import found_objects, true_objects
    from mmdetxfer.predictions import load_predictions
    from mmdetxfer.scoring import average_precisions, match_objects
    from mmdetxfer.scoring.resampled_ap import image_weights, resampled_mean_precisions

    cfg = Config.fromfile(ROOT / TWINS['chips'])
    init_default_scope(cfg.default_scope)
    settings = cfg.test_dataloader.dataset.to_dict()
    # The config's is relative to the repository.
    settings['data_root'] = str(Path(args.data_root or ROOT / settings['data_root']))
    dataset = DATASETS.build(settings)
    truth, ids = true_objects(dataset)
    classes = dataset.metainfo['classes']
    weights = image_weights(len(ids), NUM_RESAMPLES, seed=0)
    sizes = {'small': (0.0, args.small_px), 'others': (args.small_px, np.inf)}
    sizes['all'] = (0.0, np.inf)
    records, resampled = [], {}
    for (twin, seed), paths in runs.items():
        megapixels = json.loads(paths['record'].read_text())['megapixels']
        for test in TESTS:
            predictions = load_predictions(paths[test])
            found = found_objects(predictions, ids, classes, str(paths[test]))
            matches = match_objects(truth, found)
            tables = (truth, found, matches, IOU_THRESHOLDS, len(classes))
            record = dict(twin=twin, seed=seed, test=test, megapixels=megapixels)
            for size, limits in sizes.items():
                table = average_precisions(*tables, limits)
                record['num_objects_' + size] = int(table.num_objects.sum())
                drawn, _ = resampled_mean_precisions(*tables, weights, limits)
                for place, threshold in enumerate(IOU_THRESHOLDS):
                    name = f'AP{round(100 * threshold)}_{size}'
                    record[name] = float(table.mean()[place])
                    key = (twin, test, name)
                    resampled.setdefault(key, []).append(drawn[:, place])
            records.append(record)
    return records, differences(records, resampled, len(ids))


def differences(records: list[dict], resampled: dict, num_images: int) -> list[dict]:
    """Return the differences of the twins with their intervals."""
    import numpy as np

    from mmdetxfer.scoring.bootstrap import difference_interval

    found = []
    for test in TESTS:
        for name in (key for key in records[0] if key.startswith('AP')):
            scores, means = [], []
            for twin in TWINS:
                own = [r for r in records if (r['twin'], r['test']) == (twin, test)]
                scores.append([record[name] for record in own])
                means.append(np.mean(resampled[twin, test, name], axis=0))
            interval = difference_interval(*scores, *means, num_images)
            found.append(dict(test=test, score=name, **asdict(interval)))
    return found


def print_records(records: list[dict]) -> None:
    """Print each seed, and the means over seeds."""
    names = [key for key in records[0] if key.startswith('AP')]
    table = Table('training', 'test', 'seed', 'Mpx', *names)
    for twin in TWINS:
        for test in TESTS:
            own = [r for r in records if (r['twin'], r['test']) == (twin, test)]
            for record in own:
                values = [f'{record[name]:.3f}' for name in names]
                head = (twin, test, str(record['seed']), f'{record["megapixels"]:.1f}')
                table.add_row(*head, *values)
            means = [sum(r[name] for r in own) / len(own) for name in names]
            table.add_row(twin, test, 'mean', '', *(f'{mean:.3f}' for mean in means))
    Console(width=120).print(table)


def print_differences(found: list[dict]) -> None:
    """Print what chips gain, with intervals."""
    table = Table('chips less whole images', 'test', 'difference', '95 % interval')
    for one in found:
        ends = f'{one["low"]:+.3f} to {one["high"]:+.3f}'
        if isnan(one['variance_of_seeds']):
            ends += ' (images alone: training noise unknown)'
        table.add_row(one['score'], one['test'], f'{one["difference"]:+.3f}', ends)
    Console(width=120).print(table)


@one_line_errors
def main() -> None:
    """Run what is missing, score, write the records and print them."""
    args = parse_args()
    hold(Path(args.work_dir))
    for config in TWINS.values():
        hash_of(config)
    keys = [(twin, seed) for seed in args.seeds for twin in TWINS]
    runs = all_of(keys, lambda key: run_seed(args, *key), args.jobs)
    records, found = score(args, runs)
    path = Path(args.work_dir) / 'records.jsonl'
    write_json_lines(path, (*records, *found))
    print_records(records)
    print_differences(found)
    costs = {record['megapixels'] for record in records}
    if max(costs) > 1.02 * min(costs):
        raise UserError(
            f'megapixels: expected a spread of at most 2 %, got {min(costs):.1f} to '
            f'{max(costs):.1f}; set max_iters in {TWINS["whole images"]}'
        )


if __name__ == '__main__':
    main()
