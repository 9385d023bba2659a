"""The dataset card: names of relations, types and files are text, whatever they hold."""

from collections import Counter

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from data_scripts.card import Summary, to_card, to_markdown

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/p.png)",
    "[x](https://evil.example)",
    "a|b",
    "```",
    "`a`",
    "---",
    "\n\n# a heading",
]
NAMES = st.one_of(
    st.lists(st.sampled_from(PAYLOADS), min_size=1, max_size=3).map(" ".join),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
)
MARKDOWN = MarkdownIt("commonmark").enable("table")


def summary_of(name: str) -> Summary:
    return Summary(
        name="jsonlines",
        rows={"train": 3},
        relations={"train": Counter({name: 2, None: 1})},
        type_pairs={"train": Counter({(name, None): 2, ("PERSON", name): 1})},
        tallies={
            "train": {key: Counter() for key in ("dropped", "notes", "doubts", "remarks")}
            | {"skipped": Counter({name: 1})}
        },
        sources=[(name, 1, "0" * 64)],
        license="That of your data.",
        homepage="",
    )


@settings(deadline=None)
@given(NAMES)
def test_names_are_text(name):
    page = MARKDOWN.parse(to_markdown(summary_of(name)))
    tokens = [child for token in page for child in [token, *(token.children or ())]]
    kinds = {token.type for token in tokens}
    assert not kinds & {"image", "link_open", "html_inline", "html_block"}
    assert [token.type for token in page].count("fence") == 1
    assert [token.type for token in page].count("heading_open") == 5
    tables = [token for token in page if token.type == "table_open"]
    assert len(tables) == 4


def test_the_front_matter_stays_whole():
    card = to_card(summary_of("a\n---\nlicense: mit"), {"train": "data/train.parquet"}, False)
    header = yaml.safe_load(str(card).split("---\n")[1])
    assert header["license"] == "other" and header["pretty_name"] == "jsonlines"
