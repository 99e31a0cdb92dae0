"""How ranks hand each other arrays and words, when one may work for minutes.

Arrays go to one rank in a short collective of processors, whatever the devices. Words
lie in a store that everybody looks into now and then: while some still work, nobody
waits in a collective, which would time out.
"""

import os
import time
from collections.abc import Sequence

import torch
from mmengine.dist import (
    all_gather_object,
    barrier,
    broadcast_object_list,
    get_rank,
    get_world_size,
)
from torch import Tensor, distributed

_SECONDS_BETWEEN_LOOKS = 0.05


class RankExchange:
    """Made by all ranks at once; with one rank everything is at home."""

    def __init__(self) -> None:
        """Open the store on the first rank."""
        self.rank, self.num_ranks = get_rank(), get_world_size()
        if self.num_ranks == 1:
            return
        self._group = distributed.new_group(backend='gloo')
        host = os.environ['MASTER_ADDR']
        place = [None]
        if self.rank == 0:
            self._store = distributed.TCPStore(host, 0, is_master=True)
            place = [self._store.port]
        broadcast_object_list(place)
        if self.rank > 0:
            self._store = distributed.TCPStore(host, place[0], is_master=False)
        self._count = 0

    def gathered(self, own: Tensor, owner: int) -> Tensor | None:
        """Return the rows of all ranks, one rank's after another's, on one of them.

        Args:
            own: (N, ...) rows of this rank, N its own.
            owner: The rank that gets them; others get None.
        """
        if self.num_ranks == 1:
            return own
        counts = all_gather_object(len(own))
        padded = own.new_zeros(max(counts), *own.shape[1:])
        padded[: len(own)] = own
        is_owner = self.rank == owner
        parts = [torch.empty_like(padded) for _ in counts] if is_owner else None
        distributed.gather(padded, parts, dst=owner, group=self._group)
        if parts is None:
            return None
        return torch.cat(
            [part[:count] for part, count in zip(parts, counts, strict=True)]
        )

    def told(self, own: dict[str, str], expected: Sequence[str]) -> dict[str, str]:
        """Return what all ranks say, when all of it is said.

        Args:
            own: What this rank says, by name.
            expected: Names of all that is said by any.
        """
        if self.num_ranks == 1:
            return own
        self._count += 1
        for name, word in own.items():
            self._store.set(f'{self._count} {name}', word)
        keys = [f'{self._count} {name}' for name in expected]
        while not self._store.check(keys):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        found = {
            name: self._store.get(key).decode()
            for name, key in zip(expected, keys, strict=True)
        }
        # The store's keeper must not leave before all have read.
        barrier()
        return found
