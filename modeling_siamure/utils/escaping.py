r"""Text of a corpus in cards, tables and pages: one escaper per place where it is written.

Names of entity types and relations, sentences, and names of files come from elsewhere. Wherever
one is written, it goes through the function of that place:

| written into | function |
|---|---|
| Markdown: a heading, a paragraph, the cell of a table | `markdown_text` |
| Markdown: a code span | `markdown_code` |
| Markdown: a block of code between fences | `fenced_block` |
| a string in Python code | `python_string` |
| a cell of a CSV file, which a spreadsheet opens | `spreadsheet_cell` |
| JSON inside of a script element of HTML | `as_json` |

HTML is left to Jinja's `autoescape`, and front matter to PyYAML's `safe_dump`, which do the same.
`public_name` takes out the folders of this machine.
"""

import json
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

# An underscore within a word means nothing, so names such as founded_by stay as they are.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|#&~$]|(?<![^\W_])_|_(?![^\W_])")
# What a spreadsheet takes for the start of a formula, also in full width (OWASP, CSV injection).
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")


def markdown_text(text: str) -> str:
    """Return text that Markdown shows as it is: on one line, without links, code and HTML.

    >>> markdown_text("a|b <img> `x`"), markdown_text("org/my_model-1.0")
    ('a&#124;b &#60;img&#62; &#96;x&#96;', 'org/my_model-1.0')
    """
    return _MARKDOWN.sub(lambda match: f"&#{ord(match[0])};", " ".join(text.split()))


def markdown_code(text: str) -> str:
    """Return a code span that holds text, whatever backticks are in it; not for a table's cell.

    >>> markdown_code("PERSON"), markdown_code("`a``b")
    ('`PERSON`', '``` `a``b ```')
    """
    text = " ".join(text.split())
    fence = "`" * (_longest_run(text) + 1)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{room}{text}{room}{fence}"


def fenced_block(lines: list[str]) -> str:
    """Return lines as a block of code, which none of them can end.

    >>> fenced_block(["a", "```"]).splitlines()
    ['````', 'a', '```', '````']
    """
    lines = [" ".join(line.splitlines()) for line in lines]
    fence = "`" * max([3, *(_longest_run(line) + 1 for line in lines)])
    return "\n".join([fence, *lines, fence])


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def python_string(text: str) -> str:
    r"""Return a Python literal of a string, on one line.

    >>> print(python_string('a"); b("\n'))
    "a\"); b(\"\n"
    """
    # repr escapes what can't be printed; its quotes are single unless the text has single ones.
    inside = repr(text + '"')[1:-2].replace("\\'", "'")
    return f'"{inside.replace(chr(34), chr(92) + chr(34))}"'


def spreadsheet_cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe comes before those.

    Numbers are not text, and need none.

    >>> spreadsheet_cell("=1+1"), spreadsheet_cell("a = b")
    ("'=1+1", 'a = b')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def as_json(content: Any) -> str:
    r"""Return JSON for the inside of a script element: nothing in it can end the element.

    >>> as_json({"text": "</script>"})
    '{"text": "\\u003c/script\\u003e"}'
    """
    return re.sub(
        "[<>&\u2028\u2029]",
        lambda match: f"\\u{ord(match[0]):04x}",
        json.dumps(content, ensure_ascii=False),
    )


def public_name(name_or_path: str) -> str:
    r"""Return the name of a model or a file without the folders of this machine.

    Args:
        name_or_path: A path, of which the last part is kept; a name on the hub, and
            pip:PACKAGE/FOLDER, are kept whole.

    >>> public_name("/home/me/encoders/mine/"), public_name("C:\\models\\mine")
    ('mine', 'mine')
    >>> public_name("google-bert/bert-base-cased"), public_name("pip:package/model")
    ('google-bert/bert-base-cased', 'pip:package/model')
    """
    if not name_or_path or name_or_path.startswith("pip:"):
        return name_or_path
    is_windows = "\\" in name_or_path
    path = PureWindowsPath(name_or_path) if is_windows else PurePosixPath(name_or_path)
    is_hub_name = re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name_or_path)
    if is_hub_name and not Path(name_or_path).exists():
        return name_or_path
    return path.name or Path(name_or_path).resolve().name
