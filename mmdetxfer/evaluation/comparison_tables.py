"""Names and files of candidates, and the tables of a comparison on the disk.

Whatever compares saved predictions of several candidates and seeds reads its words and
writes its tables here: records as JSON lines, each table as CSV and Markdown.
"""

import copy
import csv
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from rich.table import Table

from mmdetxfer.config_files import read_config_file
from mmdetxfer.errors import UserError
from mmdetxfer.json_lines import write_json_lines

RECORDS = 'records.jsonl'
# Names stand in file names, tables and legends.
_NAME = re.compile(r'[A-Za-z0-9][\w.+-]*')


def named_files(words: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of each candidate, one a seed.

    Args:
        words: ``NAME=FILE[,FILE...]``, each name once.
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        name, _, files = word.partition('=')
        paths = files.split(',')
        if not _NAME.fullmatch(name) or name in found or not all(paths):
            raise UserError(
                'expected different candidates as NAME=FILE[,FILE...], names of '
                f'letters, digits and . + - _, got {word!r}'
            )
        if len(set(paths)) < len(paths):
            raise UserError(
                f'{name}: expected another file for each seed, got {files!r}'
            )
        found[name] = [Path(path) for path in paths]
    return found


def read_config(config: str, cfg_options: Sequence[str] | Mapping[str, Any]) -> Config:
    """Read a config with options.

    Args:
        config: A config file.
        cfg_options: ``KEY=VALUE`` for it, or values by key.
    """
    if not Path(config).is_file():
        raise UserError(f'config not found: expected a file at {config}')
    cfg = read_config_file(config)
    if isinstance(cfg_options, Mapping):
        cfg.merge_from_dict(copy.deepcopy(dict(cfg_options)))
        return cfg
    pairs = (option.partition('=') for option in cfg_options)
    cfg.merge_from_dict(
        {key: DictAction._parse_iterable(value) for key, _, value in pairs}
    )
    return cfg


def write_tables(out: Path, tables: Mapping[str, Sequence[dict]]) -> None:
    """Write all records, and each table; what a former call wrote there goes.

    Args:
        out: The folder.
        tables: Rows by the table's name.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = [row for table in tables.values() for row in table]
    write_json_lines(out / RECORDS, rows)
    for name, own in tables.items():
        for suffix in ('.csv', '.md'):
            (out / f'{name}{suffix}').unlink(missing_ok=True)
        if own:
            _write_table(out / name, own)


def _write_table(stem: Path, rows: Sequence[dict]) -> None:
    # Not all differences have all columns.
    keys = list(dict.fromkeys(key for row in rows for key in row if key != 'kind'))
    with open(stem.with_suffix('.csv'), 'w', newline='') as stream:
        writer = csv.DictWriter(stream, keys, extrasaction='ignore')
        writer.writeheader()
        writer.writerows(rows)
    body = [[_shown(row.get(key, '')) for key in keys] for row in rows]
    text = ['| ' + ' | '.join(row) + ' |' for row in [keys, ['---'] * len(keys), *body]]
    stem.with_suffix('.md').write_text('\n'.join(text) + '\n')


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ', '.join(map(str, value))
    return f'{value:.4f}' if isinstance(value, float) else str(value)


def difference_table(rows: Sequence[dict], heads: Sequence[str]) -> Table:
    """Return a table of differences with their intervals.

    Args:
        rows: Records with difference, low, high and variance_of_seeds.
        heads: Keys of the columns before.
    """
    ends = '95 % interval, all candidates of a score at once'
    table = Table(*heads, 'less the baseline', ends)
    for row in rows:
        text = f'{row["low"]:+.3f} to {row["high"]:+.3f}'
        if is_of_one_seed(row):
            text += ' (images alone, training noise unknown)'
        words = [str(row[head]) for head in heads]
        table.add_row(*words, f'{row["difference"]:+.3f}', text)
    return table


def is_of_one_seed(row: dict) -> bool:
    """Return whether a difference is of one seed of either side."""
    return math.isnan(row['variance_of_seeds'])
