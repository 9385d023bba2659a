"""Readers of relation corpora, one module per corpus or file format."""
