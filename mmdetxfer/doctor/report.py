"""Prints the doctor's findings as one table, each problem with its cure below it."""

import argparse
import textwrap
from collections.abc import Sequence

from mmdetxfer.doctor.checks import Finding, findings
from mmdetxfer.doctor.observing import observe


def table(rows: Sequence[Finding]) -> str:
    """Lay the findings out; plain text, since nothing else can be relied on here."""
    width = max(len(row.topic) for row in rows)
    indent = ' ' * (len('problem') + width + 4)
    lines = []
    for row in rows:
        head = f'{row.level:<7}  {row.topic:<{width}}  '
        lines += textwrap.wrap(
            row.found,
            width=110,
            initial_indent=head,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        if row.cure:
            lines.append(f'{indent}cure: {row.cure}')
    return '\n'.join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Look, print the table, and return 1 if anything would stop a training."""
    argparse.ArgumentParser(
        description='Look whether this installation can train, and say how to cure it.'
    ).parse_args(arguments)
    print('looking, this takes about 20 s ...', flush=True)
    rows = findings(observe())
    print(table(rows))
    problems = sum(row.level == 'problem' for row in rows)
    if problems:
        print(f'\n{problems} of these would stop a training')
    else:
        print('\nnothing here would stop a training')
    return int(problems > 0)
