"""A discovery that tests of this folder look at, and none of them changes."""

import pytest

from modeling_siamure import RelationDiscovery


@pytest.fixture(scope="session")
def fitted(recipe, rows) -> RelationDiscovery:
    return RelationDiscovery(4, recipe=recipe).fit(rows)
