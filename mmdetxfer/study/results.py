"""What a study has found so far: cells that are done, and comparisons of them.

Comparisons are made of whatever is there: a candidate that failed is missing, and said
to be.
"""

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError
from mmdetxfer.study.cells import Plan, Use
from mmdetxfer.study.comparisons import Tables, Transfers
from mmdetxfer.study.files import PREDICTIONS
from mmdetxfer.study.records import RECORDS, SCHEMA, USES, read_records
from mmdetxfer.study.states import state_of

# The score that decides, and where it stands among a target's tables.
DECIDING = dict(detection='AP70', segmentation='mIoU', classification='top-1')


@dataclass(frozen=True)
class Compared:
    """Comparisons of one target with one share of its train set.

    Args:
        target: Its name; None for probes.
        share: Of the train set.
        baseline: The candidate that others are compared with.
        seeds: Of each candidate that is there.
        missing: Candidates that are not, or not with all seeds.
        tables: Records, each with its id.
        figures: Folder of figures and pictures.
    """

    target: str | None
    share: float
    baseline: str
    seeds: Mapping[str, Sequence[int]]
    missing: tuple[str, ...]
    tables: Tables
    figures: Path

    def rows(self, name: str, /, **wanted: Any) -> list[dict]:
        """Return the records of a table that have what is named."""
        return [
            row
            for row in self.tables.get(name, [])
            if all(row.get(key) == value for key, value in wanted.items())
        ]

    @property
    def is_of_one_seed(self) -> bool:
        """Whether no claim can be made."""
        return all(len(own) < 2 for own in self.seeds.values())


class Results:
    """Reads what is done, and compares it, once.

    Args:
        plan: The study's plan.
        folder: Of the study: figures are drawn there.
        say: Told what happens.
    """

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        """Read the records of the cells that are done."""
        self.plan, self.folder, self.say = plan, folder, say
        self.study = plan.study
        self.heads: dict[str, dict] = {}
        self.rows: dict[str, list[dict]] = {}
        self.not_done: list[str] = []
        for key in plan.cells:
            if state_of(plan, key).state == 'done':
                head, *rows = read_records(plan.folder(key) / RECORDS)
                self.heads[key], self.rows[key] = head, rows
            else:
                self.not_done.append(key)
        self._compared: dict[tuple, Compared | None] = {}
        # Why something could not be compared or shown, by what it is of.
        self.problems: dict[tuple, str] = {}
        self._costs: list[dict] | None = None

    def done(self, role: str, **wanted: Any) -> list[Use]:
        """Return what is done of a role."""
        return [use for use in self.plan.used(role, **wanted) if use.key in self.heads]

    def records(self) -> list[dict]:
        """Return all records, of cells and of comparisons, with what they are of."""
        uses: dict[str, list[dict]] = {}
        for use in self.plan.uses:
            words = dict(candidate=use.candidate, target=use.target, role=use.role)
            uses.setdefault(use.key, []).append(dict(words, study=self.study.name))
        found = []
        for key, head in self.heads.items():
            first = {k: v for k, v in uses[key][0].items() if k != 'study'}
            of = {**first, USES: uses[key]}
            found += [{**of, **row} for row in (head, *self.rows[key])]
        for one in self._compared.values():
            if one is not None:
                found += [row for table in one.tables.values() for row in table]
        return found + self.costs()

    def transfers(self, target: str, share: float = 1.0) -> Compared | None:
        """Return the comparison of a target's transfers, None if none is done.

        Args:
            target: Its name.
            share: Of its train set.
        """
        key = ('transfers', target, share)
        if key not in self._compared:
            self._compared[key] = self._tried(
                key, lambda: self._compare_transfers(target, share)
            )
        return self._compared[key]

    def _tried(
        self, key: tuple, compare: Callable[[], Compared | None]
    ) -> Compared | None:
        """Return a comparison; one that cannot be made must not lose the others."""
        with self.kept_going(key):
            return compare()
        return None

    @contextmanager
    def kept_going(self, key: tuple) -> Iterator[None]:
        """Note what goes wrong within, and go on: the rest is not lost for it.

        Args:
            key: What it is of.
        """
        try:
            yield
        except UserError as error:
            self.problems[key] = str(error)
        except Exception as error:
            # A defect, of ours or of a host's: to be told, with its place.
            self.problems[key] = f'{type(error).__name__}: {error}'
            self.say(traceback.format_exc())
        if key in self.problems:
            self.say(f'{" ".join(map(str, key))}: left out: {self.problems[key]}')

    def _compare_transfers(self, target: str, share: float) -> Compared | None:
        own = self.study.targets[target]
        files: dict[str, list[Path]] = {}
        seeds: dict[str, list[int]] = {}
        for use in self.done('final', target=target, share=share):
            path = self.plan.folder(use.key) / PREDICTIONS[own.task]
            files.setdefault(use.candidate, []).append(path)
            seeds.setdefault(use.candidate, []).append(use.seed)
        if not files:
            return None
        name = target if share == 1 else f'{target}_{share:g}'
        self.say(f'comparing {", ".join(files)} on {name}')
        if own.occlusion is not None and not Path(own.occlusion).is_dir():
            self.problems['occlusion', target] = (
                f'expected a folder of occlusion labels at {own.occlusion}, there is '
                'none'
            )
        baseline = self._baseline(files)
        out = self.folder / 'figures' / name
        transfers = Transfers(
            own, self.study.options, files, baseline, self.study.resamples, out
        )
        return Compared(
            target,
            share,
            baseline,
            seeds,
            self._missing(self.study.candidates, seeds),
            self._numbered(
                transfers.compared(), name, target=target, share=share, part=own.task
            ),
            out,
        )

    def probes(self) -> Compared | None:
        """Return the comparison of all probes, None if none is done."""
        key = ('probes',)
        if key not in self._compared:
            self._compared[key] = self._tried(key, self._compare_probes)
        return self._compared[key]

    def _compare_probes(self) -> Compared | None:
        # Plans, which need none of it, come in a second.
        from mmdetxfer.plots import draw_groups, draw_layers
        from mmdetxfer.study.probe_cell import compared_probes

        cells: dict[str, dict[int, Path]] = {}
        for use in self.done('probe'):
            folder = self.plan.folder(use.key)
            cells.setdefault(use.candidate, {})[use.seed] = folder
        if not cells:
            return None
        self.say(f'comparing the probes of {", ".join(cells)}')
        configs = {name: self.study.candidates[name].probed_config for name in cells}
        baseline = self._baseline(cells)
        tables = compared_probes(
            self.study.probes,
            cells,
            configs,
            baseline,
            self.study.resamples,
            lambda _: None,
        )
        out = self.folder / 'figures' / 'probes'
        out.mkdir(parents=True, exist_ok=True)
        draw_layers(tables['scores'], out / 'layers')
        draw_groups(tables['scores'], out / 'objects')
        seeds = {name: list(own) for name, own in cells.items()}
        expected = dict.fromkeys(use.candidate for use in self.plan.used('probe'))
        return Compared(
            None,
            1.0,
            baseline,
            seeds,
            self._missing(expected, seeds),
            self._numbered(tables, 'probes', target=None, share=1.0, part='probes'),
            out,
        )

    def _baseline(self, present: Mapping[str, Any]) -> str:
        """Return the study's baseline, or the first that is there in its place."""
        wanted = self.study.baseline
        return wanted if wanted in present else next(iter(present))

    def _numbered(self, tables: Tables, name: str, /, **of: Any) -> Tables:
        """Return tables whose records have their ids, and what they are of."""
        return {
            table: [
                {
                    'schema': SCHEMA,
                    'id': f'{self.study.name}/{name}/{table}/{place}',
                    **of,
                    **row,
                }
                for place, row in enumerate(rows)
            ]
            for table, rows in tables.items()
        }

    def _missing(
        self, expected: Iterable[str], seeds: Mapping[str, list[int]]
    ) -> tuple[str, ...]:
        """Return the candidates that are not there with all seeds."""
        count = len(self.study.seeds)
        return tuple(one for one in expected if len(seeds.get(one, ())) < count)

    def costs(self) -> list[dict]:
        """Return what the pre-trainings cost: means over seeds, a record a candidate.

        Those with weights from outside, or a stage that is not done, have none.
        """
        if self._costs is None:
            rows = [self._cost(name) for name in self.study.candidates]
            self._costs = [
                {**row, 'schema': SCHEMA, 'id': f'{self.study.name}/costs/{place}'}
                for place, row in enumerate(filter(None, rows))
            ]
        return self._costs

    def cost_of(self, one: Compared, candidate: str) -> float | None:
        """Return the mean multiply-adds of a candidate's pre-training and transfers.

        Args:
            one: Of a target.
            candidate: Its name.
        """
        (own,) = [r for r in self.costs() if r['candidate'] == candidate] or [None]
        uses = self.done(
            'final', candidate=candidate, target=one.target, share=one.share
        )
        costs = [self.heads[use.key].get('cost') for use in uses]
        if own is None or not costs or not all(costs):
            return None
        transfers = sum(cost['multiply_adds'] for cost in costs) / len(costs)
        return own['multiply_adds'] + transfers

    def _cost(self, candidate: str) -> dict | None:
        if self.study.candidates[candidate].as_configured:
            return None
        stages = self.study.candidates[candidate].stages
        uses = self.done('pretrain', candidate=candidate)
        heads = [self.heads[use.key] for use in uses]
        count = len(self.study.seeds)
        is_whole = len(uses) == len(stages) * count
        if any(stage.file for stage in stages) or not is_whole:
            return None
        if not all(head.get('cost') for head in heads):
            return None
        return dict(
            kind='cost',
            candidate=candidate,
            multiply_adds=sum(one['cost']['multiply_adds'] for one in heads) / count,
            not_counted=sorted({x for o in heads for x in o['cost']['not_counted']}),
            of=[one['id'] for one in heads],
            volatile=dict(
                seconds=sum(one['volatile']['seconds'] for one in heads) / count
            ),
        )
