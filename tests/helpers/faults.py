"""Runs commands that are struck by a fault at the n-th change of a folder.

    python -m tests.helpers.faults < JOBS

Each line of JOBS is a JSON object: the `command` (`train`, `siamure` or `data_scripts`) with its
`arguments`, the folder that is watched (`below`), and, if it is to be struck, the `fault` and the
number of the change (`at`, from 1). A change is the opening of a file to write, or the renaming,
removing, or making of a file or folder. `kill` is SIGKILL before the change, `term` SIGTERM, and
`full` says that the disk is full. The answer, a line of JSON too, holds the `status` (negative for
a signal), what was printed as `output`, and the `changes` that were begun.

The commands run in forks of this process, so that the imports are paid for once."""

import errno
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.helpers.commands import REPOSITORY

MAINS = {
    "train": "train",
    "siamure": "modeling_siamure.cli",
    "data_scripts": "data_scripts.__main__",
}
CHANGES = {"os.rename": 2, "os.remove": 1, "os.mkdir": 2, "os.rmdir": 1}  # place of their dir_fd
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def path_of(name, folder=-1) -> str:
    """The absolute path of what an event names, which may be relative to an open folder."""
    if isinstance(name, int):
        return ""
    base = os.readlink(f"/proc/self/fd/{folder}") if folder not in (-1, None) else os.getcwd()
    return os.path.join(base, os.fsdecode(name))


def watch(below: str, fault: str | None, at: int, log) -> None:
    """Strike at the n-th change below a path."""
    count = 0

    def hook(event, arguments):
        nonlocal count
        if event == "open":
            name, _, flags = arguments
            if name is None or not (flags & WRITING):
                return
            path = path_of(name)
        elif event in CHANGES:
            place = CHANGES[event]
            folder = arguments[place] if len(arguments) > place else -1
            path = path_of(arguments[0], folder)
        else:
            return
        if not path.startswith(below):
            return
        count += 1
        log.write(f"{event} {path}\n")
        log.flush()
        if count == at:
            if fault == "full":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            os.kill(os.getpid(), signal.SIGKILL if fault == "kill" else signal.SIGTERM)

    sys.addaudithook(hook)


def work(job: dict, output: int, log: str) -> None:
    """Run a command in this process, to its end."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    main = importlib.import_module(MAINS[job["command"]]).main
    status = 0
    with open(log, "w") as changes:
        watch(job["below"], job["fault"], job["at"], changes)
        try:
            main(job["arguments"])
        except SystemExit as stop:
            status = stop.code or 0
        except BaseException:
            traceback.print_exc()
            status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def answer(job: dict) -> dict:
    """Run a job in a fork."""
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile() as log:
        child = os.fork()
        if not child:
            work(job, output.fileno(), log.name)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return {
            "status": os.waitstatus_to_exitcode(status),
            "output": output.read().decode(errors="replace"),
            "changes": Path(log.name).read_text().splitlines(),
        }


class Commands:
    """Commands that may be struck by a fault."""

    def __init__(self):
        settings = {
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.faults"],
            cwd=REPOSITORY,
            env=os.environ | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str, *arguments, below, fault: str | None = None, at: int = 0) -> dict:
        """Run a command; `below` is the beginning of the paths that are watched."""
        job = {"command": command, "arguments": [*map(str, arguments)], "below": str(below)}
        self.process.stdin.write(json.dumps(job | {"fault": fault, "at": at}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


if __name__ == "__main__":
    import datasets
    import evaluate  # noqa: F401
    import sklearn.cluster  # noqa: F401
    import transformers

    import modeling_siamure.commands.assign
    import modeling_siamure.commands.discover
    import modeling_siamure.training.trainer  # noqa: F401
    import train  # noqa: F401

    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
