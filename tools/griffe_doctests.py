"""Show docstrings as they are meant: doctests as code, and transformers' references as names."""

import re
import textwrap

import griffe

DOCTEST = re.compile(r"^(?P<indent> *)>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)
REFERENCE = re.compile(r"\[`~?(?:[\w.]*\.)?(\w+)`\]")


class Doctests(griffe.Extension):
    """Fence doctests, which Markdown would take for quotations."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            text = REFERENCE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = DOCTEST.sub(_fence, text)


def _fence(block: re.Match) -> str:
    code = textwrap.dedent(block.group())
    return textwrap.indent(f"```pycon\n{code}\n```", block["indent"])
