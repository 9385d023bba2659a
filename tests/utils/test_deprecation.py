"""Old names, each with a warning that says the new one."""

import warnings

import pytest

from modeling_siamure.utils.deprecation import (
    RENAMED_ARGUMENTS,
    deprecated_arguments,
    rename_key,
    rename_options,
    warn_renamed,
)


@deprecated_arguments(old="new", former="present")
def function(first, *, new=1, present=2):
    """Return what it got."""
    return first, new, present


def test_old_keyword_arguments():
    with pytest.warns(FutureWarning) as caught:
        assert function(0, old=5, former=6) == (0, 5, 6)
    assert sorted(str(warning.message) for warning in caught) == [
        "'former' is now called 'present'; the old name will go with the next minor version",
        "'old' is now called 'new'; the old name will go with the next minor version",
    ]
    assert {warning.filename for warning in caught} == {__file__}  # of the caller
    assert function.__name__ == "function" and function.__doc__


def test_new_keyword_arguments_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert function(0) == (0, 1, 2)
        assert function(0, new=5, present=6) == (0, 5, 6)


def test_both_names_are_refused():
    said = "old and new are the same argument; give new alone"
    with pytest.raises(TypeError, match=said):
        function(0, old=5, new=5)


def test_a_source_comes_first():
    with pytest.warns(FutureWarning, match="^recipe.yaml: 'a' is now called 'b'"):
        warn_renamed("a", "b", "recipe.yaml")


@pytest.mark.parametrize(("old", "new"), RENAMED_ARGUMENTS.items())
def test_options_of_a_command_line(old, new):
    with pytest.warns(FutureWarning, match=f"'--{old}' is now called '--{new}'") as caught:
        found = rename_options([f"--{old}=a=b", f"--{old}", old, "--seed", f"--{old}er"])
    assert found == [f"--{new}=a=b", f"--{new}", old, "--seed", f"--{old}er"]
    assert len(caught) == 2


def test_keys_of_a_recipe():
    with pytest.warns(FutureWarning):
        assert rename_key("partition", "kmeans") == ("clustering_method", "kmeans")
    with pytest.warns(FutureWarning):
        assert rename_key("cluster_head_init", "partition") == ("cluster_head_init", "clustering")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rename_key("clustering_method", "partition") == ("clustering_method", "partition")
        assert rename_key("labels", ["partition"]) == ("labels", ["partition"])
