"""Foreign text stays text, wherever it is written: read back by what reads that place."""

import ast
import csv
import io
import json
import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from modeling_siamure.utils.escaping import (
    as_json,
    fenced_block,
    markdown_code,
    markdown_text,
    public_name,
    python_string,
    spreadsheet_cell,
)

PAYLOADS = [
    '!");__import__("os").system("touch${IFS}PWNED");("',
    "!`![i](https://evil.example/p.png)`",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/p.png)",
    "[x](javascript:alert(1))",
    "a|b||c",
    "`` ` ```",
    "***a*** __b__ ~~c~~ $d$ # e",
    "\\",
    "\\' \\\" '\"",
    "&lt;b&gt; &#60;",
    "a\n\n# heading\n---\nb",
    "```\nrm -rf\n```",
    "\u2028\u2029\x85\x0b\x0c",
    '"""\nimport os\n"""',
    "{{ 7 * 7 }} {% raw %}",
    "=cmd|'/C calc'!A0",
    '=HYPERLINK("http://evil.example")',
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
]
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def texts(**options):
    """Any text that UTF-8 can hold, and pieces of the payloads together."""
    anything = st.text(st.characters(codec="utf-8", **options), max_size=60)
    pieces = st.lists(st.sampled_from([*PAYLOADS, *"`|<>[]()!*_~$&\\\"'#-=+@ \n"]), max_size=8)
    return st.one_of(anything, pieces.map("".join), st.sampled_from(PAYLOADS))


def tokens(markdown):
    """All tokens, those inside of paragraphs and cells too."""
    for token in MARKDOWN.parse(markdown):
        yield token
        yield from token.children or ()


def on_one_line(text):
    # NUL is replaced by what reads Markdown.
    return " ".join(text.replace("\0", "\ufffd").split())


@given(texts())
def test_markdown_text_is_text(text):
    escaped = markdown_text(text)
    if not escaped:
        return
    for written in (f"# {escaped}", f"| a | b |\n|---|---|\n| {escaped} | end |"):
        found = list(tokens(written))
        kinds = {token.type for token in found if token.content or token.tag}
        assert not kinds & {
            "html_inline",
            "html_block",
            "code_inline",
            "image",
            "link_open",
            "fence",
        }
        assert not kinds & {"em_open", "strong_open", "s_open"}
        shown = [token.content for token in found if token.type in ("text", "text_special")]
        cells = "".join(shown).removeprefix("ab" if "|" in written[:2] else "")
        assert on_one_line(cells.removesuffix("end" if "|" in written[:2] else "")) == on_one_line(
            text
        )


@given(texts())
def test_markdown_code_is_code(text):
    if not text.split():
        return
    found = [token for token in tokens(f"of: {markdown_code(text)}, end") if token.type != "inline"]
    spans = [token.content for token in found if token.type == "code_inline"]
    assert [on_one_line(span) for span in spans] == [on_one_line(text)]
    others = {token.type for token in found} - {"code_inline"}
    assert others == {"paragraph_open", "text", "paragraph_close"}


@given(st.lists(texts(), max_size=4))
def test_nothing_ends_a_block_of_code(lines):
    found = MARKDOWN.parse(f"{fenced_block(lines)}\n\nend")
    assert [token.type for token in found][:1] == ["fence"]
    assert found[0].content.count("\n") == len(lines)
    assert [token.content for token in found if token.type == "inline"] == ["end"]


@given(texts())
def test_python_reads_its_string_back(text):
    literal = python_string(text)
    assert ast.literal_eval(literal) == text
    assert literal.startswith('"') and len(literal.splitlines()) == 1
    (fence,) = MARKDOWN.parse(f"```python\nask({literal})\n```")
    assert fence.type == "fence"


@given(texts())
def test_a_spreadsheet_sees_no_formula(text):
    cell = spreadsheet_cell(text)
    assert cell in (text, f"'{text}")
    assert not re.match(r"\s*[=+\-@＝＋－＠]|[\t\r\n]", cell)
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cell, "next"])
    assert next(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [cell, "next"]


@pytest.mark.parametrize("text", ["PERSON→FIRM · left", "a=b", "<e1> Ada </e1>", "", "3 - 1"])
def test_a_plain_cell_stays_as_it_is(text):
    assert spreadsheet_cell(text) == text


@given(st.dictionaries(texts(), texts(), max_size=3))
@example({"a": "</script><!--"})
def test_json_cannot_end_its_element(content):
    written = as_json(content)
    assert json.loads(written) == content and not re.search("[<>&\u2028\u2029]", written)


@given(texts())
def test_front_matter_holds_what_it_was_given(text):
    from huggingface_hub import ModelCard, ModelCardData

    header = ModelCardData(model_name=text, tags=["a", text or "b"]).to_yaml()
    card = ModelCard(f"---\n{header}\n---\n\n# title\n")
    assert yaml.safe_load(header)["model_name"] == text
    assert card.data.model_name == text and card.text.strip() == "# title"


@pytest.mark.parametrize("text", ["founded_by", "org/my_model-1.0", "pip:a_b/c", "PERSON→FIRM · x"])
def test_plain_names_stay_as_they_are(text):
    assert markdown_text(text) == text and python_string(text) == f'"{text}"'


def test_the_folders_of_this_machine_are_left_out(tmp_path, monkeypatch):
    (tmp_path / "org" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "org" / "mine", "org/mine", "./org/mine/", "~/x/mine", "/a/b/mine"):
        assert public_name(str(path)) == "mine"
    assert public_name("org") == "org" and public_name("") == ""
    assert public_name("other/mine") == "other/mine"  # no folder: a name on the hub
    assert public_name("pip:package/model") == "pip:package/model"
