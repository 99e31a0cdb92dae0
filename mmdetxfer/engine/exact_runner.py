"""mmengine's Runner with safe checkpoints, exact resume and CPU ranks.

What it changes, and nothing else: checkpoints are read by the safe reader and written
atomically as plain data; resume restores the random state of every rank and the place
in the data stream; processes without a GPU join over gloo; a checkpoint that does not
fit the model is an error instead of a line in the log.
"""

import time
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.config import Config
from mmengine.dist import get_rank, get_world_size, master_only
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner

from mmdetxfer.checkpoints.comparing import are_equal
from mmdetxfer.checkpoints.loading_schemes import install_safe_loading
from mmdetxfer.checkpoints.plain_data import to_plain
from mmdetxfer.checkpoints.resumable import PROGRESS_KEY
from mmdetxfer.checkpoints.writing import write_atomically
from mmdetxfer.datasets import guarded
from mmdetxfer.engine.cpu_ranks import CPU_WRAPPER, join_cpu_ranks
from mmdetxfer.engine.exact_config import use_exact_parts
from mmdetxfer.engine.fitting import check_fit, check_initial_weights
from mmdetxfer.engine.fractional_epochs import in_iterations
from mmdetxfer.engine.held_state import set_held_state
from mmdetxfer.engine.resuming import settle_resume
from mmdetxfer.engine.unreadable_images import Unreadable
from mmdetxfer.registry import RUNNERS


@RUNNERS.register_module()
class ExactRunner(Runner):
    """A Runner whose killed and resumed trainings equal uninterrupted ones.

    In a config of any host: ``runner_type = 'mmdetxfer.ExactRunner'``; the tools of
    this package always use it.
    """

    @classmethod
    def from_cfg(cls, cfg: Any) -> 'ExactRunner':
        """Build from a config, with the exact loops and checkpoint hook put in."""
        cfg = use_exact_parts(cfg if isinstance(cfg, Config) else Config(cfg))
        seed = (cfg.get('randomness') or {}).get('seed')
        if cfg.get('resume') and (not cfg.get('load_from') or seed is None):
            # Started by a host's tool: the file and its seed are not known yet.
            print_log(settle_resume(cfg, cfg.get('load_from') or 'auto'), 'current')
        return super().from_cfg(cfg)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of ``Runner``."""
        install_safe_loading()
        self.rank_progress: list | None = None
        super().__init__(*args, **kwargs)

    def setup_env(self, env_cfg: dict) -> None:
        """Join the ranks over gloo first where there is no GPU."""
        if self.distributed and not torch.cuda.is_available():
            join_cpu_ranks(self.launcher, env_cfg.get('dist_cfg', {}))
        super().setup_env(env_cfg)

    @staticmethod
    def build_dataloader(dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """Build a loader whose data set names an image that cannot be read."""
        loader = Runner.build_dataloader(dataloader, *args, **kwargs)
        # Samplers ask for the data set's own class, so the guard comes after them; a
        # DataLoader forbids plain setting.
        object.__setattr__(loader, 'dataset', guarded(loader.dataset))
        return loader

    def wrap_model(self, model_wrapper_cfg: dict | None, model: Any) -> Any:
        """Wrap for CPU ranks without device ids."""
        if self.distributed and not torch.cuda.is_available():
            unused = self.cfg.get('find_unused_parameters', False)
            defaults = {**CPU_WRAPPER, 'find_unused_parameters': unused}
            model_wrapper_cfg = {**defaults, **(model_wrapper_cfg or {})}
            model_wrapper_cfg['device_ids'] = None
        return super().wrap_model(model_wrapper_cfg, model)

    def _init_model_weights(self) -> None:
        """Initialise, unless a checkpoint with all weights is about to be resumed.

        The initial file may be gone by then, and loading it again would be lost work.
        """
        if not self._resume:
            super()._init_model_weights()
            model = getattr(self.model, 'module', self.model)
            for line in check_initial_weights(model):
                self.logger.info(line)

    def _build_param_scheduler(self, scheduler: Any, optim_wrapper: Any) -> list:
        """Build schedules that may name fractions of an epoch."""
        entries = scheduler if isinstance(scheduler, (list, tuple)) else [scheduler]
        length = len(self.train_dataloader)
        whole = [
            in_iterations(x, length) if isinstance(x, dict) else x for x in entries
        ]
        return super()._build_param_scheduler(whole, optim_wrapper)

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict:
        """Load weights, and stop if they do not fit the model."""
        checkpoint = super().load_checkpoint(filename, *args, **kwargs)
        # DDP and test-time augmentation both keep the model as ``module``, and one may
        # hold the other.
        model = self.model
        while hasattr(model, 'module'):
            model = model.module
        is_whole = self._resume or not self._is_training
        if is_whole or not any(getattr(h, 'proves_loading', 0) for h in self.hooks):
            self.logger.info(check_fit(model, checkpoint, filename, is_whole))
        return checkpoint

    def train(self) -> Any:
        """Train; weights that are loaded here may leave heads out."""
        self._is_training = True
        return super().train()

    _is_training = False

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Resume weights and optimizer as mmengine does, then the exact progress."""
        self._resumed_checkpoint: dict = {}
        super().resume(filename, *args, **kwargs)
        progress = self._resumed_checkpoint.pop(PROGRESS_KEY, None)
        del self._resumed_checkpoint
        if progress is None:
            self.logger.warning(
                f'{filename} was written without the random state (by another Runner): '
                'training goes on from it, not bit for bit'
            )
            progress = {'ranks': [], 'batches_per_epoch': None}
        self._take_up(progress)

    def _take_up(self, progress: dict) -> None:
        """Hand this rank's part of the progress to the loop and the optimizer."""
        loop = self.train_loop
        ranks = progress['ranks']
        if ranks and len(ranks) != self.world_size:
            self.logger.warning(
                f'resumed with {self.world_size} ranks, written with {len(ranks)}: the '
                'training goes on at the same place, not bit for bit'
            )
            ranks = []
        threads = progress.get('threads')
        if threads is not None and threads != torch.get_num_threads():
            self.logger.warning(
                f'resumed with {torch.get_num_threads()} threads, written with '
                f'{threads}: sums may be rounded otherwise, not bit for bit'
            )
        self._adapt_epoch_length(progress.get('batches_per_epoch'))
        mine = ranks[get_rank()] if ranks else {}
        set_held_state(self, mine.get('held_state', {}))
        if hasattr(loop, 'resume_from'):
            is_validated = mine.get('is_validated', False)
            loop.resume_from(mine.get('random_state'), is_validated)
            unreadable = mine.get('unreadable', [])
            loop.dataloader.unreadable.extend(Unreadable(*one) for one in unreadable)
        gradients = progress.get('gradients') or {}
        model = getattr(self.model, 'module', self.model)
        for name, parameter in model.named_parameters():
            if name in gradients:
                parameter.grad = gradients[name].to(parameter.device)

    def _adapt_epoch_length(self, batches_then: int | None) -> None:
        """Keep the share of the epoch that is done when an epoch has other batches."""
        loop = self.train_loop
        if isinstance(loop, IterBasedTrainLoop):
            return
        batches_now = len(loop.dataloader)
        if not batches_then:
            # Another Runner's file: it knows the epoch only.
            fits = 0 <= loop._iter - loop._epoch * batches_now <= batches_now
            batches_then = batches_now if fits else loop._iter // max(loop._epoch, 1)
        if batches_then == batches_now:
            return
        done = loop._iter - loop._epoch * batches_then
        loop._iter = loop._epoch * batches_now + done * batches_now // batches_then
        self.logger.warning(
            f'an epoch has {batches_now} batches now and had {batches_then}: training '
            f'goes on at batch {loop._iter - loop._epoch * batches_now} of it'
        )

    def train_loop_progress(self) -> dict:
        """Return this rank's part of the progress, for a checkpoint hook to gather."""
        loop = self.train_loop
        return loop.progress() if hasattr(loop, 'progress') else {}

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: None = None,
    ) -> None:
        """Write a checkpoint of plain data atomically, with its hash beside it.

        The arguments are those of ``Runner.save_checkpoint``. Its own version would
        build the file in memory and format the config's text for it each time.
        """
        done = dict(epoch=self.epoch + 1, iter=self.iter)
        if not by_epoch:
            done = dict(epoch=self.epoch, iter=self.iter + 1)
        checkpoint = {
            'meta': {**done, **(meta or {}), **self._origin()},
            'state_dict': getattr(self.model, 'module', self.model).state_dict(),
            'message_hub': self.message_hub.state_dict(),
        }
        if save_optimizer:
            checkpoint['optimizer'] = self.optim_wrapper.state_dict()
        if save_param_scheduler and self.param_schedulers is not None:
            checkpoint['param_schedulers'] = _states(self.param_schedulers)
        self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        target = Path(out_dir) / filename
        write_atomically(target, lambda path: torch.save(checkpoint, path))

    def _origin(self) -> dict:
        """Return what a checkpoint says about the run that wrote it."""
        metainfo = getattr(self.train_dataloader.dataset, 'metainfo', None)
        named = {} if metainfo is None else {'dataset_meta': metainfo}
        return {
            **named,
            'seed': self.seed,
            'experiment_name': self.experiment_name,
            'time': time.strftime('%Y%m%d_%H%M%S'),
            'mmengine_version': mmengine.__version__,
            'input_convention': self.cfg.get('input_convention'),
        }

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call the hooks; complete and simplify a checkpoint after them."""
        loaded = kwargs.get('checkpoint')
        is_bare = fn_name == 'after_load_checkpoint' and 'state_dict' not in loaded
        if is_bare:
            # mmengine's EMAHook does not know bare state dicts.
            kwargs['checkpoint'] = {'state_dict': dict(loaded)}
        super().call_hook(fn_name, **kwargs)
        if is_bare:
            # What hooks left out of it is not loaded.
            loaded.clear()
            loaded.update(kwargs['checkpoint']['state_dict'])
        if fn_name == 'before_save_checkpoint':
            self._complete(kwargs['checkpoint'])
        elif fn_name == 'after_load_checkpoint' and self._resume:
            self._keep_for_resume(kwargs['checkpoint'])

    def _complete(self, checkpoint: dict) -> None:
        """Add what exact resume needs and turn everything into plain data."""
        if 'optimizer' in checkpoint:
            ranks = self.rank_progress or [self.train_loop_progress()]
            checkpoint[PROGRESS_KEY] = {
                'ranks': ranks,
                'world_size': self.world_size,
                'threads': torch.get_num_threads(),
                'batches_per_epoch': len(self.train_loop.dataloader),
                'gradients': self._waiting_gradients(),
            }
        plain = to_plain(checkpoint)
        checkpoint.clear()
        checkpoint.update(plain)
        self.rank_progress = None

    def _waiting_gradients(self) -> dict:
        """Return gradients that wait for the end of an accumulation over the epoch."""
        every = getattr(self.optim_wrapper, '_accumulative_counts', 1)
        if every == 1 or self.optim_wrapper.should_update():
            return {}
        if get_world_size() > 1:
            self.logger.warning(
                f'the epoch ends within an accumulation over {every} iterations: a run '
                'of several ranks resumed from here is not exact; choose an epoch '
                'length that is a multiple'
            )
        named = getattr(self.model, 'module', self.model).named_parameters()
        return {name: p.grad.cpu() for name, p in named if p.grad is not None}

    def _keep_for_resume(self, checkpoint: dict) -> None:
        """Note the progress; keep mmengine from comparing plain data with its own."""
        self._resumed_checkpoint.update(checkpoint)
        metainfo = getattr(self.train_dataloader.dataset, 'metainfo', None)
        meta = checkpoint.get('meta', {})
        if metainfo is not None and are_equal(meta.get('dataset_meta'), metainfo):
            meta['dataset_meta'] = metainfo


def _states(schedulers: list | dict) -> list | dict:
    """Return the schedulers' states in the nesting that ``Runner.resume`` expects."""
    if isinstance(schedulers, dict):
        return {name: _states(group) for name, group in schedulers.items()}
    return [scheduler.state_dict() for scheduler in schedulers]
