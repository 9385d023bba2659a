"""The package as others meet it: its names, which way it imports, and a start that is light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import modeling_siamure
import siamure
from modeling_siamure.utils import files
from tests.helpers.commands import REPOSITORY

PACKAGE = REPOSITORY / "modeling_siamure"
HEAVY = ("datasets", "sklearn", "faiss", "matplotlib", "evaluate", "transformers.modeling_utils")
PUBLIC = {
    "Recipe",
    "RelationDiscovery",
    "RelationDiscoveryPipeline",
    "SiamUREConfig",
    "SiamUREModel",
    "SiamUREModelOutput",
    "SiamURETrainer",
    "SiamURETrainingArguments",
    "consensus",
    "embed",
    "estimate_num_clusters",
    "export_onnx",
    "extend_tokenizer",
    "insert_markers",
    "kmeans",
    "load_tokenizer",
    "nearest_neighbors",
    "neighbor_cosine_loss",
    "read_markers",
    "semantic_clustering_loss",
    "siamese_loss",
    "tokenize_dataset",
}


# --------------------------------------------------------------------------------------------------
# Names


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name(name):
    found = getattr(modeling_siamure, name)
    assert found.__module__.startswith("modeling_siamure.") and found.__doc__
    assert getattr(siamure, name) is found
    assert (
        name in modeling_siamure.__all__ and name in dir(modeling_siamure) and name in dir(siamure)
    )


def test_what_else_is_offered_is_there_too():
    assert set(modeling_siamure.__all__) >= PUBLIC | {"__version__"}
    for name in modeling_siamure.__all__:
        assert getattr(modeling_siamure, name) is not None
    assert siamure.__all__ == modeling_siamure.__all__
    assert siamure.__version__ == modeling_siamure.__version__


@pytest.mark.parametrize("package", [modeling_siamure, siamure])
def test_a_name_that_is_not_there(package):
    with pytest.raises(AttributeError, match="module 'modeling_siamure' has no attribute 'Siam'"):
        package.Siam  # noqa: B018


@pytest.mark.parametrize("name", ["modeling_siamure", "siamure"])
def test_all_names_come_by_a_star(name):
    names: dict = {}
    exec(f"from {name} import *", names)
    assert names.keys() >= PUBLIC


def test_public_modules_stay_importable():
    from modeling_siamure.clustering import kmeans
    from modeling_siamure.discovery import RelationDiscovery

    assert kmeans is modeling_siamure.kmeans
    assert RelationDiscovery is modeling_siamure.RelationDiscovery


# --------------------------------------------------------------------------------------------------
# Which way the imports go

LAYERS = (
    ("utils", "version", "configuration_siamure", "markers"),
    ("modeling_siamure", "pipeline", "data_collator", "losses"),
    ("health",),
    ("embedding", "clustering", "export"),
    ("training",),
    ("recipe",),
    ("discovery", "graph"),
    ("commands",),
    ("cli",),
)
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts}
# transformers copies, into a saved model's folder, what the model's file imports: so it names the
# pipeline, inside of a method.
KNOWN_CIRCLE = ("modeling_siamure.modeling_siamure", "modeling_siamure.pipeline")


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a file, also those inside of functions, but not what is for type checkers
    alone."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not is_for_types(child):
            yield from walk(child)


def imports_of(path: Path) -> set[str]:
    """The modules that a file imports, at its top or later, by their full names."""
    package = (
        module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    )
    found = set()
    for node in walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            submodules = {name for name in names if name in MODULES}
            # `from . import module` brings modules, `from .module import name` the module itself.
            found |= submodules if submodules == names else submodules | {base}
    return found


FILES = [
    path
    for name in ("modeling_siamure", "data_scripts")
    for path in (REPOSITORY / name).rglob("*.py")
]
FILES = [path for path in FILES if "b_cubed" not in path.parts]
MODULES = {module_name(path): path for path in FILES}
IMPORTS = {name: imports_of(path) for name, path in MODULES.items()}


def part_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("modeling_siamure.")])
def test_imports_go_down(name):
    for imported in IMPORTS[name]:
        if imported.startswith("modeling_siamure."):
            assert LAYER[part_of(imported)] <= LAYER[part_of(name)], imported
    assert "modeling_siamure" not in IMPORTS[name] or part_of(name) == "cli"


def test_there_is_no_import_circle():
    rank: dict[str, bool] = {}  # of a module: whether all that it leads to has been seen

    def visit(name: str, path: list[str]) -> None:
        assert rank.get(name, True), f"a circle: {' -> '.join([*path, name])}"
        if name in rank:
            return
        rank[name] = False
        for imported in sorted(IMPORTS[name] & MODULES.keys()):
            if (name, imported) != KNOWN_CIRCLE:
                visit(imported, [*path, name])
        rank[name] = True

    for name in MODULES:
        visit(name, [])


def test_the_readers_know_markers_and_utils_alone():
    for name, imported in IMPORTS.items():
        if name.startswith("data_scripts"):
            ours = {module for module in imported if module.startswith("modeling_siamure")}
            assert {part_of(module) for module in ours} <= {"markers", "utils"}, name


def test_only_the_commands_know_the_readers():
    for name, imported in IMPORTS.items():
        if name.startswith("modeling_siamure") and part_of(f"{name}.") != "commands":
            assert not [module for module in imported if module.startswith("data_scripts")], name
    assert [
        module
        for module in IMPORTS["modeling_siamure.commands.inputs"]
        if module.startswith("data_scripts")
    ]


@pytest.mark.parametrize(
    "part", ["configuration_siamure", "modeling_siamure", "markers", "pipeline"]
)
def test_what_travels_with_a_checkpoint_needs_what_a_stranger_has(part):
    theirs = {"torch", "transformers", "safetensors", "huggingface_hub"}
    ours = {"configuration_siamure", "modeling_siamure", "markers", "pipeline"}
    for imported in IMPORTS[f"modeling_siamure.{part}"]:
        first, _, others = imported.partition(".")
        if first == "modeling_siamure":
            assert others in ours, imported
        else:
            assert first in theirs | sys.stdlib_module_names, imported


def test_imports_are_found_where_they_are():
    """The test of the tests above: imports of every form, by their full names."""
    assert "modeling_siamure.utils.files" in IMPORTS["modeling_siamure.embedding"]
    assert "data_scripts.loading" in IMPORTS["modeling_siamure.commands.inputs"]
    assert "modeling_siamure.pipeline" in IMPORTS["modeling_siamure.modeling_siamure"]
    assert "modeling_siamure.modeling_siamure" in IMPORTS["modeling_siamure.clustering.assignment"]
    assert module_name(Path(files.__file__)) == "modeling_siamure.utils.files"


def test_no_test_imports_a_test():
    for path in (REPOSITORY / "tests").rglob("*.py"):
        for imported in imports_of(path):
            names = imported.split(".")
            is_test = names[0] == "tests" and (names[-1].startswith("test_") or "conftest" in names)
            assert not is_test, path


# --------------------------------------------------------------------------------------------------
# The start


@pytest.mark.parametrize(
    "code", ["import modeling_siamure", "import siamure", "import train; train.main(['--help'])"]
)
def test_start_is_light(code):
    listed = f"print([n for n in {HEAVY} if n in sys.modules])"
    code = f"import atexit, sys; atexit.register(lambda: {listed}); {code}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "first",
    [
        "import modeling_siamure",
        "import siamure",
        "from transformers import AutoModel, pipeline; import modeling_siamure",
        "from modeling_siamure import SiamUREModel",
        "from modeling_siamure import RelationDiscoveryPipeline",
    ],
)
def test_whatever_is_imported_first_transformers_knows_the_package(first):
    code = f"""{first}
from transformers import AutoConfig, AutoModel
from transformers.pipelines import PIPELINE_REGISTRY
sizes = {{"hidden_size": 4, "num_attention_heads": 1}}
config = AutoConfig.for_model("siamure", encoder_config=sizes)
print(type(AutoModel.from_config(config)).__module__)
print(*PIPELINE_REGISTRY.check_task("relation-discovery")[:1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["modeling_siamure.modeling_siamure", "relation-discovery"]
