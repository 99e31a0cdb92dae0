"""What a study was to take and what it took, in seconds by kind of work.

The kinds are those of cells, of transfers by the task of the target too, and the
report. A transfer has its start, its test and its scores among it, a probe its
features: they run in one process.
"""

from collections.abc import Iterable, Mapping

BUDGET_KINDS = (
    'pretrain',
    'transfer',
    'detection',
    'segmentation',
    'classification',
    'probe',
    'report',
)


def seconds_used(
    heads: Iterable[Mapping], tasks: Mapping[str, str], report_seconds: float
) -> dict[str, float]:
    """Return the seconds of all that is done, by kind.

    Args:
        heads: Of the cells.
        tasks: Of the transfers, by the key of the cell.
        report_seconds: What making the report took.
    """
    used = dict.fromkeys(BUDGET_KINDS, 0.0)
    used['report'] = report_seconds
    for head in heads:
        kinds = {head['what'], tasks.get(head['key'], head['what'])}
        for kind in kinds:
            used[kind] += head['volatile']['seconds']
    return used


def budget_lines(planned: Mapping[str, float], used: Mapping[str, float]) -> list[str]:
    """Return a sentence for each kind that was planned.

    Args:
        planned: Seconds by kind.
        used: The same.
    """
    return [
        f'seconds of {"the report" if kind == "report" else f"all {kind} cells"}: '
        f'{seconds:.0f} planned, {used[kind]:.0f} used'
        for kind, seconds in planned.items()
    ]
