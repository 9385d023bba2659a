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


def shared_array(rows: int, size: int) -> np.ndarray:
    """A float32 array `(rows, size)` that a machine holds once, however many processes it has.

    It is a memory-mapped file in `TMPDIR`, so it may be larger than the memory. The file has no name any more, so the
    disk is free again as soon as the last process drops the array, or is killed.

    Raises:
        OSError: There is not enough room in `TMPDIR`.

    >>> shared_array(2, 3).shape
    (2, 3)
    """
    state = PartialState()
    path = ""
    if state.is_local_main_process:
        file, path = tempfile.mkstemp(prefix="siamure-")
        try:
            # Not a sparse file: writing into a mapped hole of a full disk would kill the process without a word.
            os.posix_fallocate(file, 0, 4 * rows * size)
        except OSError as error:
            os.unlink(path)
            needed = f"{4 * rows * size / 2**30:.1f} GiB for {rows} embeddings"
            raise OSError(f"{path} can't hold {needed} ({error.strerror}); set TMPDIR to a larger disk") from None
        finally:
            os.close(file)
    paths = gather_object([path])
    array = np.memmap(paths[state.process_index - state.local_process_index], np.float32, "r+", shape=(rows, size))
    state.wait_for_everyone()
    if state.is_local_main_process:
        os.unlink(path)
    return array
