"""Records: what a cell found, line by line, each with what it was found by.

A cell's ``records.jsonl`` begins with a record of kind 'cell' (config, weights and data
hashes, receipt, protocol, versions, seed); its scores follow. It appears whole or not
at all. The schema only ever grows: a reader takes what it knows. What differs between
two runs of the very same (time, host, attempt) stands under 'volatile'.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError
from mmdetxfer.json_lines import write_json_lines

SCHEMA = 1
RECORDS = 'records.jsonl'
VOLATILE = 'volatile'
# What a cell is in a study: of a shared one each study says its own.
USES = 'uses'
_LABELS = ('candidate', 'target', 'role', USES)
CELL = 'cell'
# What every record has, and what the first one has beside it.
_ALWAYS = ('schema', 'id', 'kind')
_OF_CELL = ('key', 'what', 'config', 'seed', 'weights_sha256', 'data', 'versions')


def write_records(folder: Path, head: Mapping[str, Any], rows: Sequence[dict]) -> None:
    """Write what a cell found, in one step.

    Args:
        folder: Of the cell.
        head: What it was found by; 'key' names the cell.
        rows: What was found.
    """
    key = head['key']
    first = dict(schema=SCHEMA, id=f'{key}/0', kind=CELL, **head)
    numbered = [
        {'schema': SCHEMA, 'id': f'{key}/{place}', **row}
        for place, row in enumerate(rows, 1)
    ]
    write_json_lines(folder / RECORDS, [first, *numbered])


def read_records(path: Path) -> list[dict]:
    """Return the records of a file; one that does not fit is refused with the reason.

    Args:
        path: What ``write_records`` wrote.
    """
    try:
        lines = path.read_text().splitlines()
        records = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise UserError(
            f'{path}: expected records as JSON lines, they cannot be read ({error})'
        ) from error
    for place, record in enumerate(records, 1):
        _check(record, f'{path}, line {place}')
    return records


def _check(record: Any, where: str) -> None:
    if not isinstance(record, dict):
        raise UserError(f'{where}: expected a record, got {type(record).__name__}')
    needed = [*_ALWAYS, *(_OF_CELL if record.get('kind') == CELL else ())]
    missing = [key for key in needed if key not in record]
    if missing:
        raise UserError(
            f'{where}: expected {", ".join(needed)}, {missing[0]} is missing'
        )
    if record['schema'] > SCHEMA:
        raise UserError(
            f'{where}: expected a schema up to {SCHEMA}, got {record["schema"]}: a '
            'newer mmdetxfer wrote it'
        )


def without_volatile(records: Iterable[dict]) -> list[dict]:
    """Return records without what differs between two runs of the very same."""
    return [
        {key: value for key, value in one.items() if key != VOLATILE} for one in records
    ]


def merged(tables: Iterable[Sequence[dict]]) -> list[dict]:
    """Return the records of several studies or cells, each once.

    Two records of one id that differ in more than what is volatile are refused. Of a
    cell that studies share, what it is in each is kept under 'uses'.

    Args:
        tables: Records.
    """
    found: dict[str, dict] = {}
    for table in tables:
        for record in table:
            former = found.setdefault(record['id'], record)
            is_shared = USES in former and USES in record
            apart = {VOLATILE, *(_LABELS if is_shared else ())}
            differing = sorted(
                key
                for key in (former.keys() | record.keys()) - apart
                if former.get(key) != record.get(key)
            )
            if differing:
                raise UserError(
                    f'record {record["id"]}: expected the same in both studies, they '
                    f'differ in {", ".join(differing)}; make one of them again'
                )
            if is_shared:
                more = [one for one in record[USES] if one not in former[USES]]
                found[record['id']] = {**former, USES: [*former[USES], *more]}
    return list(found.values())


def frame(records: Sequence[dict]) -> Any:
    """Return records as a pandas frame, what a cell was found by beside each score.

    Args:
        records: Of any number of cells.
    """
    import pandas

    heads = {one['key']: one for one in records if one['kind'] == CELL}
    rows = []
    for one in records:
        if one['kind'] == CELL:
            continue
        head = heads.get(one['id'].partition('/')[0], {})
        rows.append({**{f'cell.{key}': head[key] for key in head}, **one})
    return pandas.DataFrame(rows)
