"""Count what CONTRIBUTING.md ("How we write") asks for, and fail above a limit.

Three figures are counted:

* function docstrings that do not open with a verb of `VERBS`, in percent of all of them (tests,
  nested functions, properties and magic methods are left out);
* the distributive "a", in docstrings, messages, comments and Markdown;
* module constants that hold one number, in `CONSTANT_PATHS`.

Run it with `--list` to see where they are.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = ["modeling_siamure", "data_scripts", "siamure", "metrics"]
CODE_PATHS = [*PACKAGES, "train.py", "benchmarks", "examples", "tools"]
TEXT_PATHS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "model_card.md", "docs", "recipes"]
CONSTANT_PATHS = ["modeling_siamure"]

# What a docstring may open with. Add a missing verb to that file, in its base form.
VERBS = frozenset(Path(__file__).with_name("verbs.txt").read_text("utf-8").split())
# "Share of neighbors that ..." and "Names that ..." are nouns.
AFTER_A_NOUN = {"of", "that", "which", "whose", "is", "are", "was", "were", "has", "have"}

UNITS = (
    "axis|batch|block|byte|candidate|card|cell|centroid|character|chunk|class|cluster|column|core|"
    "corpus|corner|day|dataset|device|dimension|document|embedding|entity|epoch|example|figure|"
    "file|fold|folder|group|head|hour|instance|iteration|job|kind|label|layer|leaf|length|line|"
    "list|machine|marker|mention|method|metric|minute|mode|name|neighbor|node|page|pair|paper|"
    "part|partition|phase|phrasing|process|question|rank|reader|recipe|record|relation|repeat|"
    "result|round|row|run|search|second|seed|sentence|shard|side|size|source|space|split|stage|"
    "step|table|task|template|test|text|time|token|topic|trial|tree|type|unit|view|week|word|"
    "worker|year"
)
# Plural nouns that no verb is written like ("runs a cell", "scores a partition").
COUNTED = (
    "arrays|batches|bits|bytes|calls|cells|characters|columns|cores|days|dimensions|distances|"
    "documents|embeddings|entities|entries|epochs|errors|examples|flops|gib|hours|ids|instances|"
    "labels|layers|leaves|lines|markers|mb|mentions|mib|minutes|neighbors|numbers|pages|pairs|"
    "paragraphs|points|processes|prompts|relations|repeats|results|rows|seconds|sentences|shards|"
    "steps|threads|tokens|trials|updates|values|vectors|votes|words"
)
ONE = r"(?:one|1|each|another)"
NUMBER = (
    r"(?:\d[\d.,]*|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|hundred|thousand|"
    "million|many|few|several)"
)
NO_NOUN = (  # in singular, and those that end like a plural
    "a|above|after|and|are|as|at|be|before|below|beside|but|by|calls|does|ends|fills|finds|for|"
    "from|gets|gives|had|has|have|holds|if|in|into|is|its|keeps|like|makes|needs|nor|not|of|on|or|"
    "per|reads|runs|starts|takes|than|that|the|this|thus|to|under|unless|was|when|where|which|with|"
    "within|without|writes"
)
GAP = r"(?:[ \t]+|[ \t]*\n[ \t]*)"  # two words may stand on two lines, but not in two paragraphs
# "rows a cluster holds" is a clause.
CLAUSE = (
    rf"(?!{GAP}(?:can|could|did|does|gave|gives|had|has|have|held|holds|is|keeps|made|makes|may|"
    r"might|must|needs|never|reads|should|takes|took|was|will|would|writes)\b)"
)
DISTRIBUTIVE = re.compile(
    rf"\b(?:once|twice|times|{ONE}|{NUMBER}|{COUNTED}"
    rf"|an?{GAP}(?:[\w-]+{GAP})?(?:file|line|list|message|page|pass|process|row|table|warning)"
    rf"|{ONE}{GAP}(?:[\w-]+{GAP})?(?!(?:{NO_NOUN})\b)[\w-]+"
    rf"|{NUMBER}{GAP}(?:[\w-]+{GAP})?(?!(?:{NO_NOUN})\b)[\w-]+s)"
    rf"{GAP}an?{GAP}(?:[\w-]+{GAP})?(?:{UNITS})\b{CLAUSE}",
    re.IGNORECASE,
)


class Finding(NamedTuple):
    """One place that the page "How we write" asks to change."""

    path: str
    line: int
    text: str


def is_imperative(docstring: str) -> bool:
    """Return whether a docstring opens with a verb in its base form.

    >>> [is_imperative(line) for line in ("Return the rows.", "Returns the rows.", "The rows.")]
    [True, False, False]
    >>> is_imperative("Share the rows."), is_imperative("Share of the rows.")
    (True, False)
    """
    first, second, *_ = [*docstring.split(maxsplit=2), "", ""]
    word = re.match(r"(?:[A-Z][a-z]*(?:-[a-z]+)?)?", first).group()
    return word.split("-")[-1].lower() in VERBS and second.lower() not in AFTER_A_NOUN


def described_functions(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield the functions and methods that have a docstring to judge, with that docstring.

    >>> source = '''
    ... class A:
    ...     def first(self):
    ...         "Return 1."
    ...         def nested(): "No."
    ...     @property
    ...     def second(self): "The second."
    ...     def __len__(self): "The length."
    ...     def third(self): pass
    ... '''
    >>> [node.name for node, _ in described_functions(ast.parse(source))]
    ['first']
    """
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from described_functions(node)
            continue
        decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        is_property = re.search(r"property\b|\.(?:setter|deleter)\b", decorators)
        is_magic = node.name.startswith("__") and node.name.endswith("__")
        docstring = ast.get_docstring(node)
        if docstring and not is_property and not is_magic and not node.name.startswith("test_"):
            yield node, docstring


def number_constants(tree: ast.Module) -> Iterator[tuple[int, str]]:
    r"""Yield line and name of the module constants that hold one number.

    >>> source = "A = 1\nB: float = -A * 2.5\nC, D = 3, 'x'\nE = True\nf = 6\nG = len('x')"
    >>> list(number_constants(ast.parse(source)))
    [(1, 'A'), (2, 'B'), (3, 'C')]
    """
    numbers = set()

    def is_number(value: ast.AST | None) -> bool:
        if isinstance(value, ast.BinOp):
            return is_number(value.left) and is_number(value.right)
        if isinstance(value, ast.UnaryOp):
            return is_number(value.operand)
        if isinstance(value, ast.Name):
            return value.id in numbers
        return isinstance(value, ast.Constant) and type(value.value) in (int, float)

    for node in tree.body:
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Assign):
            targets = node.targets
        else:
            continue
        for target in targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(name, ast.Name) and name.id.isupper() and is_number(value):
                    numbers.add(name.id)
                    yield node.lineno, name.id


def distributive(text: str) -> list[tuple[int, str]]:
    r"""Return line offset and words of each distributive "a" of a text; quoted code is left out.

    >>> [line for line, _ in distributive("Four markers a type, all of them read\nonce an epoch.")]
    [0, 1]
    >>> distributive("Four markers per type in a row; `once a row`; the rows a cluster holds.")
    []
    """
    text = re.sub(r"`[^`\n]*`", "``", text)
    text = re.sub(r"^[ \t]*(?:>>>|\.\.\.)[^\n]*", "", text, flags=re.MULTILINE)
    return [
        (text.count("\n", 0, match.start()), " ".join(match.group().split()))
        for match in DISTRIBUTIVE.finditer(text)
    ]


def prose(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file that people read, with the line that each starts on.

    These are the strings and comments of Python, the comments of YAML, and Markdown but its code
    blocks.
    """
    if path.suffix == ".md":
        yield (
            1,
            re.sub(
                "```.*?```", lambda code: "\n" * code.group().count("\n"), source, flags=re.DOTALL
            ),
        )
        return
    lines = source.splitlines()
    comments = [""] * len(lines)
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                number, column = token.start
                comment = token.string.lstrip("# ")
                if token.line[:column].strip():  # ends where its line ends
                    yield number, comment
                else:
                    comments[number - 1] = comment
    else:
        for number, line in enumerate(lines):
            if match := re.search(r"(?:^|\s)#\s*(.*)", line):
                comments[number] = match.group(1)
    yield 1, "\n".join(comments)


def files(paths: list[str], *suffixes: str) -> list[Path]:
    """Return the files below some paths that end in one of the suffixes; paths may be missing."""
    below = []
    for path in map(Path, paths):
        below.extend(sorted(path.rglob("*")) if path.is_dir() else [path])
    return [path for path in below if path.suffix in suffixes and path.is_file()]


def main(arguments: list[str] | None = None) -> int:
    """Print the figures as a table and return 1 if one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print where each finding is")
    parser.add_argument("--max_openings", type=float, default=5, help="percent")
    parser.add_argument("--max_distributive", type=float, default=0)
    parser.add_argument("--max_constants", type=float, default=9)
    options = parser.parse_args(arguments)

    num_docstrings = 0
    openings = []
    for path in files(CODE_PATHS, ".py"):
        for node, docstring in described_functions(ast.parse(path.read_text("utf-8"))):
            num_docstrings += 1
            if not is_imperative(docstring):
                openings.append(Finding(str(path), node.lineno, docstring.splitlines()[0]))
    articles = [
        Finding(str(path), line + offset, words)
        for path in files([*CODE_PATHS, *TEXT_PATHS], ".py", ".md", ".yaml")
        for line, text in prose(path, path.read_text("utf-8"))
        for offset, words in distributive(text)
    ]
    constants = [
        Finding(str(path), line, name)
        for path in files(CONSTANT_PATHS, ".py")
        for line, name in number_constants(ast.parse(path.read_text("utf-8")))
    ]

    share = 100 * len(openings) / max(num_docstrings, 1)
    table = (
        ("docstrings that open with no imperative, %", share, options.max_openings, openings),
        ('distributive "a"', len(articles), options.max_distributive, articles),
        ("module constants that are numbers", len(constants), options.max_constants, constants),
    )
    if options.list:
        for title, _, _, findings in table:
            for finding in sorted(set(findings)):
                print(f"{finding.path}:{finding.line}: {title}: {finding.text}")
    print(f"{'':44}{'found':>8}{'limit':>8}")
    for title, value, limit, _ in table:
        print(f"{title:44}{value:8.4g}{limit:8.4g}{'  too many' if value > limit else ''}")
    too_many = any(value > limit for _, value, limit, _ in table)
    if too_many and not options.list:
        print("`python tools/language.py --list` says where; CONTRIBUTING.md says what instead.")
    return int(too_many)


if __name__ == "__main__":
    sys.exit(main())
