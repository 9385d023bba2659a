"""The commands of `siamure`, a module each: its `run` does what the parser of `cli` has read."""
