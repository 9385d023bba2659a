"""Trains and scores a SiamURE model from a recipe.

    accelerate launch train.py recipes/demo.yaml --output_dir siamure-demo
    accelerate launch train.py recipes/default.yaml --train_file mine.jsonl --num_clusters 20 --output_dir mine

Each key of a recipe, and each argument of `transformers.TrainingArguments`, can be given on the line too.
"""

import json
import logging
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

from huggingface_hub.errors import HTTPError
from safetensors import SafetensorError
from transformers import HfArgumentParser

from modeling_siamure.recipe import MODEL_KEYS, encoder_path, recipe_words
from modeling_siamure.training_args import SiamURETrainingArguments


@dataclass
class ModelArguments:
    model_name_or_path: str = field(
        metadata={"help": "The encoder: hub name, folder, or pip:PACKAGE/FOLDER for one inside an installed package."}
    )
    pooling: Literal["marker", "mention", "marker_context", "mention_context", "auto"] = field(
        default="marker", metadata={"help": "What h is made of; auto: by whether the rows have entity types."}
    )
    pooling_layer: int | None = field(default=None, metadata={"help": "Encoder layer that is pooled; the last one."})
    mention_depth: float | None = field(
        default=None, metadata={"help": "Share of the layers below which mentions are taken; 1 by default."}
    )
    dropout: float | None = field(default=None, metadata={"help": "r, of all dropout layers; the encoder's own."})
    num_clusters: int = field(default=10, metadata={"help": "C: number of relations to look for."})
    projection_size: int | None = field(default=None, metadata={"help": "Width of the projector; that of h."})
    predictor_size: int | None = field(default=None, metadata={"help": "Predictor bottleneck; a quarter of that."})


@dataclass
class DataArguments:
    dataset_name: str | None = field(default=None, metadata={"help": "A corpus that data_scripts reads."})
    data_dir: str | None = field(default=None, metadata={"help": "The folder with the files of that corpus."})
    train_file: str | None = field(default=None, metadata={"help": "Your own rows: JSON lines, CSV or Parquet."})
    validation_file: str | None = field(default=None, metadata={"help": "Rows to score on, like train_file."})
    reader_options: list[str] = field(
        default_factory=list,
        metadata={"help": "Of the reader, such as markers=untyped labels=single columns.sentence=body (own files)."},
    )
    train_split: str = field(default="train", metadata={"help": "Split of the corpus to train on."})
    validation_split: str = field(default="validation", metadata={"help": "Split to score on, where there is one."})
    validation_fraction: float | None = field(
        default=None, metadata={"help": "Share of the training split that is set aside to score on, drawn by seed."}
    )
    max_train_samples: int | None = field(default=None, metadata={"help": "Train on so many rows, drawn by seed."})
    metric: str = field(
        default=str(Path(__file__).parent / "metrics" / "b_cubed"),
        metadata={"help": "What evaluate.load loads: a folder, or a name on the hub."},
    )


def fail(message: object) -> NoReturn:
    """Ends the program with one line and status 2: the mistake is the caller's."""
    if os.environ.get("LOCAL_RANK", "0") == "0":  # all processes of a machine meet the same mistake
        print(f"train.py: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


def parse_arguments(argv: list[str]) -> tuple[ModelArguments, DataArguments, SiamURETrainingArguments]:
    """Reads a recipe (the first argument, if it ends in .yaml) and the overrides behind it."""
    parser = HfArgumentParser((ModelArguments, DataArguments, SiamURETrainingArguments), allow_abbrev=False)
    parser.usage, parser.error = "train.py RECIPE.yaml [--KEY VALUE ...]", fail
    words = []
    if argv and argv[0].endswith((".yaml", ".yml")):
        path, *argv = argv
        words = recipe_words(path, parser)
    return parser.parse_args_into_dataclasses(words + argv)


def check_output(args: SiamURETrainingArguments):
    output = Path(args.output_dir)
    if (output / "model.safetensors").exists():
        raise ValueError(f"{output} already holds a model; give another --output_dir, or remove it")
    if next(output.glob("checkpoint-*"), None) and not args.resume_from_checkpoint:
        raise ValueError(
            f"{output} holds an unfinished run; go on with --resume_from_checkpoint true, or give another --output_dir"
        )


def load_data(data: DataArguments, seed: int):
    """The rows to train on, and those to score on: the same where there are no others."""
    from data_scripts.loading import load_relation_dataset, parse_options

    if (data.dataset_name is None) == (data.train_file is None) or (data.dataset_name and data.validation_file):
        raise ValueError("give either --dataset_name or --train_file (and --validation_file)")
    name, files = data.dataset_name or "table", None
    if data.train_file is not None:
        files = {data.validation_split: data.validation_file, data.train_split: data.train_file}
        files = {split: file for split, file in files.items() if file}
    splits = load_relation_dataset(name, data.data_dir, files, **parse_options(name, data.reader_options))
    if data.train_split not in splits:
        raise ValueError(f"there is no split {data.train_split!r}; --train_split takes one of {', '.join(splits)}")
    train = splits[data.train_split]
    if data.validation_fraction is not None:
        halves = train.train_test_split(test_size=data.validation_fraction, seed=seed)
        train, validation = halves["train"], halves["test"]
    else:
        validation = splits.get(data.validation_split, train)
    if data.max_train_samples is not None and data.max_train_samples < len(train):
        train = train.shuffle(seed=seed).select(range(data.max_train_samples))
    return train, validation


def build_trainer(model_args: ModelArguments, data_args: DataArguments, args: SiamURETrainingArguments):
    import evaluate
    from transformers import AutoTokenizer, EvalPrediction, set_seed

    from modeling_siamure import SiamUREModel, SiamURETrainer
    from modeling_siamure.markers import find_entity_types

    set_seed(args.seed)
    train, validation = load_data(data_args, args.seed)
    metric = evaluate.load(data_args.metric)

    def compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
        return metric.compute(predictions=prediction.predictions, references=prediction.label_ids)

    entity_types = find_entity_types(train["text"])
    encoder = encoder_path(model_args.model_name_or_path)
    tokenizer = AutoTokenizer.from_pretrained(encoder, model_max_length=args.max_length)
    options = {name: getattr(model_args, name) for name in MODEL_KEYS}
    model = SiamUREModel.from_encoder(encoder, tokenizer, entity_types, num_labels=model_args.num_clusters, **options)
    return SiamURETrainer(model, args, train, validation, processing_class=tokenizer, compute_metrics=compute_metrics)


def save(trainer, card: dict):
    """Writes model, tokenizer, card and results; a file gets its final name only when all of them are whole."""
    output = Path(trainer.args.output_dir)
    partial = output / ".partial"
    try:
        trainer.save_model(str(partial), _internal_call=True)  # any other call would push
        if trainer.args.should_save:  # the main process, or with save_on_each_node one of each machine
            (partial / "all_results.json").write_text(json.dumps(card["results"], indent=2, sort_keys=True) + "\n")
            trainer.create_model_card(**card)
            for path in sorted(partial.iterdir(), key=lambda path: path.name == "model.safetensors"):
                path.replace(output / path.name)
    except (OSError, SafetensorError) as error:
        fail(f"{output} has no room for the model ({error}); make some and go on from the last checkpoint, if any")
    finally:
        if trainer.args.should_save:
            shutil.rmtree(partial, ignore_errors=True)


def main(argv: list[str] | None = None):
    from modeling_siamure.model_card import read_template, results_table

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        model_args, data_args, args = parse_arguments(sys.argv[1:] if argv is None else argv)
        check_output(args)
        read_template()
        trainer = build_trainer(model_args, data_args, args)
    except (ValueError, OSError, HTTPError) as error:
        fail(error)

    results = trainer.score_type_pairs() | trainer.evaluate(metric_key_prefix="untrained")
    try:
        results |= trainer.train().metrics | trainer.evaluate()
    except OSError as error:  # such as a full disk
        fail(error)
    dataset = data_args.dataset_name or Path(data_args.train_file).name
    if data_args.reader_options:  # without the folders of this machine
        dataset += f" ({', '.join(re.sub('=.*/(?=.)', '=', option) for option in data_args.reader_options)})"
    card = {"results": results, "dataset": dataset, "finetuned_from": model_args.model_name_or_path}
    save(trainer, card)
    if trainer.is_world_process_zero():
        rows = f"{len(trainer.train_dataset)} instances trained on, {len(trainer.eval_dataset)} scored"
        table = results_table(results, model_args.num_clusters)
        print(f"\n{rows}\n\n{table or 'no gold relations, so no scores'}\n\nSaved to {args.output_dir}")
    if args.push_to_hub:
        try:
            trainer.push_to_hub(**card)
        except (OSError, HTTPError) as error:
            fail(f"the model is in {args.output_dir}, but {trainer.hub_model_id} was not published: {error}")


if __name__ == "__main__":
    main()
