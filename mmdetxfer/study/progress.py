"""What runs, what is done, and how long it may still take."""

import time
from collections.abc import Callable
from statistics import mean

from rich.console import Console

from mmdetxfer.study.cells import Plan
from mmdetxfer.study.states import State, state_of


class Progress:
    """Looks at the cells now and then, and says what has changed.

    Args:
        plan: What runs.
        jobs: Cells at a time.
        say: Told a line for each change; by default the terminal.
    """

    def __init__(
        self, plan: Plan, jobs: int, say: Callable[[str], None] | None = None
    ) -> None:
        """Look at what is done before."""
        self.plan, self.jobs = plan, jobs
        self._console = Console(stderr=True)
        self.say = say or self._print
        self._next = 0.0
        self._states = {key: state_of(plan, key) for key in plan.cells}
        self._started: dict[str, float] = {}
        done = sum(one.state == 'done' for one in self._states.values())
        self.say(f'{len(plan.cells)} cells, {done} of them done before')
        for key, one in self._states.items():
            if one.state == 'running':
                self.say(
                    f'  at work, left by an earlier call or of another study, and '
                    f'waited for: {key[:8]} {plan.words(key)}'
                )

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def __call__(self) -> None:
        """Look again, twice a second at most."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.5
        for key, former in self._states.items():
            if former.state == 'done':
                continue
            now = state_of(self.plan, key)
            if now.state != former.state:
                self._states[key] = now
                self._changed(key, now)

    def _changed(self, key: str, now: State) -> None:
        words = f'{key[:8]} {self.plan.words(key)}'
        if now.state == 'running':
            self._started[key] = time.monotonic()
            self.say(f'  begun:  {words}')
        elif now.state == 'done':
            done = sum(one.state == 'done' for one in self._states.values())
            took = time.monotonic() - self._started.get(key, time.monotonic())
            self.say(
                f'  done:   {words}, {took:.0f} s; {done} of {len(self._states)}'
                f'{self._left()}'
            )
        elif now.state == 'failed':
            self.say(f'  FAILED: {words}; its log: {self.plan.folder(key) / "log.txt"}')

    def _left(self) -> str:
        """Return about how long is left, by what cells of each kind took."""
        took: dict[str, list[float]] = {}
        for key, one in self._states.items():
            if one.seconds is not None:
                took.setdefault(self.plan.cells[key].kind, []).append(one.seconds)
        every = [seconds for own in took.values() for seconds in own]
        if not every:
            return ''
        left = sum(
            mean(took.get(self.plan.cells[key].kind, every))
            for key, one in self._states.items()
            if one.state != 'done'
        )
        if left == 0:
            return ''
        return f'; about {left / self.jobs / 60:.0f} min left'
