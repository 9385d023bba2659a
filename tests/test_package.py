"""The package as others meet it: light to import, complete in a wheel, and true recipes."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from transformers import HfArgumentParser

from modeling_siamure import SiamURETrainingArguments

REPOSITORY = Path(__file__).parents[1]


HEAVY = ("datasets", "sklearn", "faiss", "matplotlib", "evaluate", "transformers.modeling_utils")


@pytest.mark.parametrize("code", ["import modeling_siamure", "import train; train.main(['--help'])"])
def test_start_is_light(code):
    code = f"import atexit, sys; atexit.register(lambda: print([n for n in {HEAVY} if n in sys.modules])); {code}"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "first",
    [
        "import modeling_siamure",
        "from transformers import AutoModel, pipeline; import modeling_siamure",
        "from modeling_siamure import SiamUREModel",
        "from modeling_siamure import RelationDiscoveryPipeline",
    ],
)
def test_whatever_is_imported_first_transformers_knows_the_package(first):
    code = f"""{first}
from transformers import AutoConfig, AutoModel
from transformers.pipelines import PIPELINE_REGISTRY
config = AutoConfig.for_model("siamure", encoder_config={{"hidden_size": 4, "num_attention_heads": 1}})
print(type(AutoModel.from_config(config)).__module__, *PIPELINE_REGISTRY.check_task("relation-discovery")[:1])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["modeling_siamure.modeling_siamure", "relation-discovery"]


def test_paper_recipe_is_table_1():
    recipe = yaml.safe_load((REPOSITORY / "recipes" / "paper.yaml").read_text())
    table_1 = {
        **{"optim": "sgd", "optim_args": "momentum=0.9", "learning_rate": 1e-5, "weight_decay": 1e-4},
        **{"per_device_train_batch_size": 64, "warmup_epochs": 5, "dropout": 0.1, "num_neighbors": 20},
        **{"clustering_weight": 0.5, "num_clusters": 10, "max_length": 128, "pooling": "marker"},
        **{"model_name_or_path": "google-bert/bert-base-cased"},
    }
    assert table_1.items() <= recipe.items()


@pytest.mark.parametrize("name", ["paper", "default", "demo"])
def test_recipes_parse(name, tmp_path):
    sys.path.insert(0, str(REPOSITORY))
    import train

    model_args, _, args = train.parse_arguments(
        [str(REPOSITORY / "recipes" / f"{name}.yaml"), "--output_dir", str(tmp_path), "--learning_rate", "0.5"]
    )
    assert args.learning_rate == 0.5  # the line overrides the recipe
    assert model_args.num_clusters >= 10


def test_arguments_have_help():
    parser = HfArgumentParser(SiamURETrainingArguments)
    own = set(SiamURETrainingArguments.__annotations__)
    assert all(action.help for action in parser._actions if action.dest in own)
