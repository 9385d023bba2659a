"""The embedded corpus: short sentences of our own writing about public facts, built by :mod:`data_scripts.sample.build`."""
