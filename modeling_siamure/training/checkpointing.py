"""Checkpoints that are whole or not there, logs that resume, and signals that save one."""

import logging
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint, rotate_checkpoints

from ..utils import files
from ..utils.distributed import broadcast_from_main
from ..utils.files import (
    RUN_FILE,
    UNFINISHED,
    compare_run,
    complete,
    flush,
    holds_result,
    replace_flushed,
    seal_folder,
)

if TYPE_CHECKING:
    from transformers import Trainer as _MixedInto  # what the mixin may count on
else:
    _MixedInto = object

logger = logging.getLogger(__name__)


class CheckpointError(OSError):
    """A checkpoint could not be written. Earlier ones are whole."""


def output_folder(args: TrainingArguments) -> Path:
    """Return the output folder of a training."""
    assert args.output_dir is not None  # since __post_init__
    return Path(args.output_dir)


def check_output_dir(args: TrainingArguments) -> None:
    """Raise a `ValueError` where the output folder holds a model, or a run that is not resumed.

    Where it is a run that says what it is of, [`ResumableTrainerMixin.is_finished`] decides later.
    """
    output = output_folder(args)
    has_model = holds_result(output, "model.safetensors")
    if has_model and not holds_result(output):
        raise ValueError(f"{output} already holds a model; give another --output_dir, or remove it")
    has_checkpoint = next(output.glob("checkpoint-*"), None) is not None
    if has_checkpoint and not has_model and not args.resume_from_checkpoint:
        raise ValueError(
            f"{output} holds an unfinished run; resume with --resume_from_checkpoint true, or give "
            "another --output_dir"
        )


def find_damage(checkpoint: Path) -> str | None:
    """Return what keeps a checkpoint from being resumed from; `None` if it is whole."""
    damage = files.find_damage(checkpoint)
    if damage is None and not next(checkpoint.glob("optimizer*"), None):
        return "it has no optimizer (save_only_model)"
    return damage


def find_last_checkpoint(output_dir: Path) -> Path | None:
    """Return the newest checkpoint that is whole; a warning names each newer one that is not."""
    for unfinished in (output_dir / UNFINISHED).glob("checkpoint-*"):
        logger.warning("%s is ignored: it was being written when the run ended", unfinished)
    folders = [path for path in output_dir.glob("checkpoint-*") if path.name[11:].isdigit()]
    for folder in sorted(folders, key=lambda path: int(path.name[11:]), reverse=True):
        damage = find_damage(folder)
        if damage is None:
            return folder
        logger.warning("%s is ignored: %s", folder, damage)
    return None


@torch.no_grad()
def complete_optimizer_state(optimizer: torch.optim.Optimizer):
    """Give parameters without a gradient so far the zeros that their state begins with."""
    example = next((parameter for parameter, state in optimizer.state.items() if state), None)
    for parameter in [
        parameter for group in optimizer.param_groups for parameter in group["params"]
    ]:
        if example is not None and not optimizer.state[parameter]:
            optimizer.state[parameter] = {
                name: torch.zeros_like(parameter if value.shape == example.shape else value)
                for name, value in optimizer.state[example].items()
            }


class StopOnSignalCallback(TrainerCallback):
    """End a run that gets SIGINT (Ctrl-C) or SIGTERM after its current step, with a checkpoint.

    All processes stop at the same step. The exit status is 128 + the signal's number: 130 or 143.

    Args:
        resume_hint: How to resume, for the person who stopped the run.
    """

    def __init__(self, resume_hint: str):
        self.resume_hint = resume_hint
        self.received = 0  # by this process
        self.agreed = 0  # what all processes know of
        self.previous: dict[int, Callable | int | None] = {}

    def receive(self, number, frame):
        self.received = number

    def restore(self):
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}

    def on_train_begin(self, args, state, control, **kwargs):
        if threading.current_thread() is threading.main_thread():
            self.previous = {
                number: signal.signal(number, self.receive)
                for number in (signal.SIGINT, signal.SIGTERM)
            }

    def agree(self, args):
        """Let all processes know of a signal that one of them has received."""
        number = torch.tensor(self.received, device=args.device)
        if args.world_size > 1:
            dist.all_reduce(number, dist.ReduceOp.MAX)
        self.agreed = int(number)

    def on_step_end(self, args, state, control, **kwargs):
        self.agree(args)
        control.should_save |= self.agreed > 0

    def on_epoch_end(self, args, state, control, **kwargs):
        # Of a signal that came while the checkpoint of the last step was written.
        self.on_step_end(args, state, control)

    def on_save(self, args, state, control, **kwargs):
        self.agree(args)
        if self.agreed:
            folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
            self.stop(state, f"saved {folder}; ")

    def on_train_end(self, args, state, control, **kwargs):
        self.agree(args)
        if self.agreed:
            self.stop(state, "")
        self.restore()

    def stop(self, state, said: str):
        self.restore()
        if state.is_world_process_zero:
            name = signal.Signals(self.agreed).name
            print(f"{name}: {said}{self.resume_hint}", file=sys.stderr)
        sys.exit(128 + self.agreed)


class RestoreLogsCallback(TrainerCallback):
    """Hand a resumed run the losses that it had not logged yet."""

    def __init__(self, trainer: "ResumableTrainerMixin"):
        self.trainer = trainer

    def on_train_begin(self, args, state, control, **kwargs):
        self.trainer.restore_logs()


class ResumableTrainerMixin(_MixedInto):
    """Let a [`~transformers.Trainer`] be killed at any moment, and resume as if it never was.

    A checkpoint is written under a temporary name, flushed to the disk, and then renamed. It knows
    the digest of each of its files, and what it is of: `resume_from_checkpoint=True` takes the
    newest one that is whole (where there is none yet, the run starts from the beginning), and no
    other run resumes from it. Weights that are not finite end the training before they replace a
    checkpoint. Signals are those of [`StopOnSignalCallback`].

    Each override compensates for something that [`~transformers.Trainer`] does: its comment says
    what.

    Args:
        resume_hint: How to resume, for the person who stopped the run.
        args, kwargs: Arguments of the trainer.
    """

    def __init__(
        self, *args, resume_hint: str = "resume with --resume_from_checkpoint true", **kwargs
    ):
        super().__init__(*args, **kwargs)
        self.loss_parts: dict[str, list[torch.Tensor]] = {}  # of each step that was not logged yet
        self._progress_file: Path | None = None
        self._is_saving = False
        self.add_callback(RestoreLogsCallback(self))
        self._stop_on_signal = StopOnSignalCallback(resume_hint)
        self.add_callback(self._stop_on_signal)

    @cached_property
    def run(self) -> dict[str, Any]:
        """What this run is of, as `list_changes` compares it; first asked for by all processes."""
        return broadcast_from_main(self.describe_run)

    def describe_run(self) -> dict[str, Any]:
        """Return what decides the result; called on the main process, before the training."""
        return {}

    def is_finished(self) -> bool:
        """Tell whether the output folder holds the result of this very run already.

        Raises:
            ValueError: It holds the result of another run.
        """
        output = output_folder(self.args)
        run = self.run
        if self.args.should_save and holds_result(output):
            complete(output)

        def check() -> bool:
            if not (output / RUN_FILE).exists() or not (output / "model.safetensors").exists():
                return False
            if changes := compare_run(output, run):
                raise ValueError(
                    f"{output} already holds a model, of another run: {changes}; give another "
                    "--output_dir, or remove it"
                )
            return True

        return broadcast_from_main(check)

    # All other arguments of the base class are taken too, by their names.
    def train(  # type: ignore[override]
        self, resume_from_checkpoint: str | bool | None = None, **kwargs
    ):
        """Train; see [`~transformers.Trainer.train`].

        Args:
            resume_from_checkpoint: A checkpoint's folder, or `True` for the newest whole one in
                `output_dir`; the argument of that name (where `"true"` will do) by default.
            kwargs: Passed on.

        Raises:
            CheckpointError: A checkpoint can't be written.
            ValueError: The given checkpoint is damaged, the checkpoint is of another run, or the
                weights are no longer finite.
        """
        run = self.run  # before the model changes
        if resume_from_checkpoint is None:
            resume_from_checkpoint = self.args.resume_from_checkpoint
        if str(resume_from_checkpoint).lower() == "true":
            folder = output_folder(self.args)
            last = broadcast_from_main(find_last_checkpoint, folder)
            # The name alone: each machine may have a folder of its own.
            resume_from_checkpoint = str(folder / last.name) if last else None
            if last is None and self.is_world_process_zero():
                logger.warning(
                    "%s has no whole checkpoint yet: starting from the beginning", folder
                )
        if resume_from_checkpoint:
            folder = Path(str(resume_from_checkpoint))
            # Once per machine, for it reads all files.
            if self.is_local_process_zero() and (damage := find_damage(folder)):
                raise ValueError(f"{folder} can't be resumed from: {damage}")
            if changes := compare_run(folder, run):
                raise ValueError(
                    f"{folder} is of another run: {changes}; resume with what it began with, or "
                    "give another --output_dir"
                )
        try:
            result = super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)
        finally:
            self._stop_on_signal.restore()  # also where training has failed
        # A run that was killed while it removed old checkpoints, and has saved none since.
        self._rotate_checkpoints(output_folder(self.args))
        return result

    # Trainer logs the sum of a loss alone: its parts are averaged and logged beside it.
    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self.loss_parts:
            names = list(self.loss_parts)
            means = torch.stack([torch.stack(self.loss_parts.pop(name)).mean() for name in names])
            means = self.accelerator.reduce(means, "mean")
            if not means.isfinite().all():
                self.check_finite()
            logs |= dict(zip(names, means.tolist(), strict=True))
        super().log(logs, start_time)

    @torch.no_grad()
    def check_finite(self) -> None:
        """Raise a `ValueError` if weights, or the state of the optimizer, are no longer finite."""
        assert self.model is not None
        states = self.optimizer.state.values() if self.optimizer is not None else ()
        tensors: list[torch.Tensor] = [*self.model.parameters()]
        tensors += [value for state in states for value in state.values() if torch.is_tensor(value)]
        shards = [item.to_local() if isinstance(item, DTensor) else item for item in tensors]
        device = self.args.device
        is_bad = torch.stack([~shard.isfinite().all().to(device) for shard in shards]).any().int()
        if self.args.world_size > 1:
            dist.all_reduce(is_bad, dist.ReduceOp.MAX)
        if not is_bad:
            return
        last = get_last_checkpoint(self.args.output_dir) if self.args.output_dir else None
        raise ValueError(
            f"training has diverged: after step {self.state.global_step} of {self.state.max_steps} "
            f"its weights are not finite. Lower learning_rate ({self.args.learning_rate:g}), or "
            f"max_grad_norm ({self.args.max_grad_norm:g}), and start again"
            + (f"; {last} is from before" if last else "")
        )

    # ----------------------------------------------------------------------------------------------
    # Writing

    # Trainer writes a checkpoint under its final name, file by file: a run that is killed meanwhile
    # would leave half of one. Ours is written elsewhere and renamed.
    def _get_output_dir(self, trial) -> str:
        folder = super()._get_output_dir(trial)
        return str(Path(folder, UNFINISHED)) if self._is_saving else folder

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        # An upload in the background must find the folder under its final name.
        if not self._is_saving:
            super()._push_from_checkpoint(checkpoint_folder)

    def _save_checkpoint(self, model: torch.nn.Module, trial) -> None:
        self.check_finite()
        folder = Path(self._get_output_dir(trial))
        name = f"checkpoint-{self.state.global_step}"
        final = folder / name
        written = folder / UNFINISHED / name
        replaced = folder / UNFINISHED / "replaced"
        if self.args.should_save:
            for left in [*written.parent.glob("checkpoint-*"), replaced]:
                shutil.rmtree(left, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._is_saving = True
        try:
            super()._save_checkpoint(model, trial)
            if self.args.should_save and self.state.best_global_step == self.state.global_step:
                self.state.best_model_checkpoint = str(final)
                self.state.save_to_json(str(written / "trainer_state.json"))
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                seal_folder(written, self.run)
                flush(written)  # before the one that it replaces, if any, is moved away
                if final.exists():  # of an earlier run that resumed from a checkpoint before it
                    final.rename(replaced)
                replace_flushed(written, final)
        except Exception as error:  # whatever broke the writing, nothing half-written stays
            shutil.rmtree(written, ignore_errors=True)
            with suppress(OSError):
                written.parent.rmdir()
            earlier = get_last_checkpoint(str(folder))
            raise CheckpointError(
                f"{final} could not be written ({error}); "
                + (
                    f"{earlier} is whole: make room and resume from it"
                    if earlier
                    else "make room and start again"
                )
            ) from error
        finally:
            self._is_saving = False
        if self.args.should_save:
            shutil.rmtree(replaced, ignore_errors=True)
            with suppress(OSError):  # holds the lock of a command
                written.parent.rmdir()
            self._rotate_checkpoints(folder)
        self.accelerator.wait_for_everyone()
        if self.args.push_to_hub:
            self._push_from_checkpoint(str(final))

    def _rotate_checkpoints(self, folder: Path) -> None:
        if self.args.should_save:
            limit = self.args.save_total_limit
            rotate_checkpoints(str(folder), limit, self.state.best_model_checkpoint)

    # Trainer writes no model of a sharded one.
    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        if self.is_fsdp_enabled and not self._is_saving:
            # Shards will do for a checkpoint; of a model, Trainer would then write nothing.
            self.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        super().save_model(output_dir, _internal_call)

    # Trainer leaves a pickle behind, and on other machines no weights.
    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        super()._save(output_dir, state_dict)
        folder = Path(output_dir) if output_dir else output_folder(self.args)
        if self.args.should_save and not self.is_world_process_zero():
            assert self.model is not None
            # save_on_each_node: save_pretrained writes weights on the very first process only.
            state = self.model.state_dict() if state_dict is None else state_dict
            save_file(state, folder / "model.safetensors")
        # Nobody has to load this pickle, and the paths of this machine are in it.
        if self.args.should_save:
            (folder / "training_args.bin").unlink()

    # Trainer can't load the optimizer of a sharded model whose head is not in use yet.
    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.is_fsdp_enabled:  # its loading misses the state of a head that is not in use yet
            assert self.optimizer is not None
            complete_optimizer_state(self.optimizer)
        super()._save_optimizer_and_scheduler(output_dir)

    # Trainer forgets the losses that were not logged yet. This runs on all processes.
    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        state = {name: torch.stack(parts) for name, parts in self.loss_parts.items()}
        state |= {"loss": self._tr_loss, "last_logged": torch.tensor(self._globalstep_last_logged)}
        save_file(state, Path(output_dir, self._progress_name))

    # ----------------------------------------------------------------------------------------------
    # Reading

    @property
    def _progress_name(self) -> str:
        return f"progress_{self.args.process_index}.safetensors"

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: torch.nn.Module | None = None
    ) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self._progress_file = Path(resume_from_checkpoint, self._progress_name)

    def restore_logs(self):
        """Take up the losses that the checkpoint's run had not logged yet."""
        if self._progress_file is not None and self._progress_file.exists():
            state = {
                name: tensor.to(self.args.device)
                for name, tensor in load_file(self._progress_file).items()
            }
            self._tr_loss = state.pop("loss")
            # The mean over this call's steps counts those alone.
            self._total_loss_scalar = -float(self._tr_loss)
            self._globalstep_last_logged = int(state.pop("last_logged"))
            self.loss_parts = {name: list(parts) for name, parts in state.items()}
        self._progress_file = None
