"""Run `benchmarks.paper.tables`."""

from .tables import main

main()
