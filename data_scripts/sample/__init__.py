"""The embedded corpus: sentences of our own writing about public facts; :mod:`data_scripts.sample.build` builds it."""
