"""The embedded corpus: sentences about public facts, written for this project by `build.py`."""
