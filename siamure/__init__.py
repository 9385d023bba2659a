"""`import siamure`: all public names of `modeling_siamure`."""

import modeling_siamure
from modeling_siamure import __all__, __version__  # noqa: F401


def __getattr__(name: str):
    return getattr(modeling_siamure, name)


def __dir__() -> list[str]:
    return dir(modeling_siamure)
