"""What processes share: results of the main one, arrays that a machine holds once."""

import os
import tempfile
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

Result = TypeVar("Result")


def on_main(function: Callable[[], Result]) -> Result:
    """Runs a function on the main process only; all processes get its result.

    >>> on_main(lambda: 3)
    3
    """
    result = [function() if PartialState().is_main_process else None]
    return broadcast_object_list(result)[0]


class SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over processes, through which gradients flow back to the tensor of each."""

    @staticmethod
    def forward(ctx, tensor: torch.Tensor) -> torch.Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        return SumOverProcesses.forward(ctx, gradient)


def shared_array(rows: int, size: int, path: os.PathLike | None = None) -> np.ndarray:
    """A float32 array `(rows, size)` that a machine holds once, however many processes it has.

    It is a memory-mapped file, so it may be larger than the memory. Without a path it is in `TMPDIR` and has no name
    any more, so the disk is free again as soon as the last process drops the array, or is killed.

    Args:
        rows, size: Its shape.
        path: A file that is made, or whose content the array begins with.

    Raises:
        OSError: There is not enough room for the file.

    >>> shared_array(2, 3).shape
    (2, 3)
    """
    state = PartialState()
    is_named, path = path is not None, str(path or "")
    if state.is_local_main_process:
        if is_named:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        else:
            file, path = tempfile.mkstemp(prefix="siamure-")
        try:
            # Not a sparse file: writing into a mapped hole of a full disk would kill the process without a word.
            os.posix_fallocate(file, 0, 4 * rows * size)
        except OSError as error:
            os.unlink(path)
            needed = f"{4 * rows * size / 2**30:.1f} GiB for {rows} embeddings"
            advice = "give a folder on a larger disk" if is_named else "set TMPDIR to a larger disk"
            raise OSError(f"{path} can't hold {needed} ({error.strerror}); {advice}") from None
        finally:
            os.close(file)
    paths = gather_object([path])
    array = np.memmap(paths[state.process_index - state.local_process_index], np.float32, "r+", shape=(rows, size))
    state.wait_for_everyone()
    if state.is_local_main_process and not is_named:
        os.unlink(path)
    return array
