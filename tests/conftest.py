"""Fixtures that several parts share."""

import pytest
from loopback_hub import LoopbackHub


@pytest.fixture
def loopback_hub():
    """An empty hub on the loopback address, for subprocesses started with its `environment`."""
    with LoopbackHub() as hub:
        yield hub
