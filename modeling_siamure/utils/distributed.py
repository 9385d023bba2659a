"""What processes share: results of the main one, and arrays that a machine holds once."""

import os
import tempfile
import weakref
from collections.abc import Callable
from typing import BinaryIO, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

Result = TypeVar("Result")


def broadcast_from_main(function: Callable[..., Result], *args, **kwargs) -> Result:
    """Call a function on the main process only, and return its result on all of them.

    Args:
        function: What to call.
        args, kwargs: Its arguments.

    >>> broadcast_from_main(max, 3, 2)
    3
    """
    result = [function(*args, **kwargs) if PartialState().is_main_process else None]
    return broadcast_object_list(result)[0]


class SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over processes, with gradients back to the tensor of each process."""

    @staticmethod
    def forward(ctx, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum over processes."""
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        """Return the sum of the gradients: each process has used the total."""
        return SumOverProcesses.forward(ctx, gradient)


def shared_memmap(rows: int, size: int, path: os.PathLike | None = None) -> np.memmap:
    """Return a float32 array `(rows, size)` that a machine holds once, for all its processes.

    It is a memory-mapped file, so it may be larger than the memory. Without a path the file is in
    `TMPDIR`, and it is gone when the last process has dropped the array or was killed (on Windows,
    where a file in use can't be removed: when it was dropped).

    Args:
        rows, size: Its shape.
        path: A file that is made, or whose content the array begins with.

    Raises:
        OSError: There is not enough room for the file.

    >>> shared_memmap(2, 3).shape
    (2, 3)
    """
    state = PartialState()
    is_temporary = path is None
    name = "" if path is None else os.fspath(path)
    if state.is_local_main_process:
        if is_temporary:
            descriptor, name = tempfile.mkstemp(prefix="siamure-")
        else:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
            descriptor = os.open(name, flags, 0o666)
        try:
            with open(descriptor, "r+b") as file:
                _reserve(file, 4 * rows * size)
        except OSError as error:
            os.unlink(name)
            needed = f"{4 * rows * size / 2**30:.1f} GiB for {rows} embeddings"
            advice = (
                "set TMPDIR to a larger disk" if is_temporary else "give a folder on a larger disk"
            )
            raise OSError(f"{name} can't hold {needed} ({error.strerror}); {advice}") from None
    names = gather_object([name])
    local_main = names[state.process_index - state.local_process_index]
    array = np.memmap(local_main, np.float32, "r+", shape=(rows, size))
    state.wait_for_everyone()
    if is_temporary and state.is_local_main_process:
        try:
            os.unlink(local_main)
        except PermissionError:
            weakref.finalize(array.base, os.unlink, local_main)
    return array


def _reserve(file: BinaryIO, num_bytes: int, block: int = 1 << 24) -> None:
    """Give a file its room on the disk, and keep what it holds.

    A sparse file would not do: writing into a mapped hole of a full disk kills the process.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, num_bytes)
        return
    missing = num_bytes - file.seek(0, os.SEEK_END)
    while missing > 0:
        missing -= file.write(bytes(min(block, missing)))
