"""Train and score a SiamURE model from a recipe.

    accelerate launch train.py recipes/demo.yaml --output_dir siamure-demo
    accelerate launch train.py recipes/default.yaml --train_file mine.jsonl --output_dir mine

Each key of a recipe, and each argument of `transformers.TrainingArguments`, can be given on the
command line too, and overrides the recipe.
"""

import json
import logging
import os
import re
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from huggingface_hub.errors import HTTPError
from safetensors import SafetensorError

from modeling_siamure.recipe import DataArguments, ModelArguments, Recipe, argument_parser
from modeling_siamure.training.training_args import SiamURETrainingArguments
from modeling_siamure.utils.deprecation import rename_options


def fail(message: object) -> NoReturn:
    """End the program with one line and status 2: the mistake is the caller's."""
    if os.environ.get("LOCAL_RANK", "0") == "0":  # all processes of a machine meet the same one
        print(f"train.py: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


def parse_arguments(
    argv: list[str],
) -> tuple[ModelArguments, DataArguments, SiamURETrainingArguments]:
    """Parse a recipe (the first argument, if it ends in .yaml) and the overrides behind it."""
    parser = argument_parser()
    parser.usage = "train.py RECIPE.yaml [--KEY VALUE ...]"
    parser.error = fail
    argv = rename_options(argv)
    if argv and argv[0].endswith((".yaml", ".yml")):
        Recipe.from_yaml(argv.pop(0)).set_defaults(parser)
    return parser.parse_args_into_dataclasses(argv)


def check_output(args: SiamURETrainingArguments) -> None:
    """Raise a `ValueError` where the output folder holds another run."""
    output = Path(args.output_dir)
    if (output / "model.safetensors").exists():
        raise ValueError(f"{output} already holds a model; give another --output_dir, or remove it")
    if next(output.glob("checkpoint-*"), None) and not args.resume_from_checkpoint:
        raise ValueError(
            f"{output} holds an unfinished run; resume with --resume_from_checkpoint true, or give "
            "another --output_dir"
        )


def load_data(data: DataArguments, seed: int):
    """Load the rows to train on, and those to score on: the same where there are no others."""
    from data_scripts.loading import load_relation_dataset, parse_options

    has_two_sources = data.dataset_name and (data.train_file or data.validation_file)
    if has_two_sources or not (data.dataset_name or data.train_file):
        raise ValueError("give either --dataset_name or --train_file (and --validation_file)")
    name = data.dataset_name or "table"
    files = {data.validation_split: data.validation_file, data.train_split: data.train_file}
    files = {split: file for split, file in files.items() if file} or None
    options = parse_options(name, data.reader_options)
    splits = load_relation_dataset(name, data.data_dir, files, **options)
    if data.train_split not in splits:
        names = ", ".join(splits)
        raise ValueError(f"no split is called {data.train_split!r}; --train_split takes {names}")
    train = splits[data.train_split]
    validation = splits.get(data.validation_split, train)
    if data.validation_fraction is not None:
        halves = train.train_test_split(test_size=data.validation_fraction, seed=seed)
        train = halves["train"]
        validation = halves["test"]
    if data.max_train_samples is not None and data.max_train_samples < len(train):
        train = train.shuffle(seed=seed).select(range(data.max_train_samples))
    return train, validation


def build_trainer(
    model_args: ModelArguments, data_args: DataArguments, args: SiamURETrainingArguments
):
    """Build the model, and a trainer on the rows that the arguments name."""
    import evaluate
    from transformers import EvalPrediction, set_seed

    from modeling_siamure import SiamURETrainer

    set_seed(args.seed)
    train, validation = load_data(data_args, args.seed)
    metric = evaluate.load(data_args.metric)

    def score(prediction: EvalPrediction) -> dict[str, float]:
        return metric.compute(predictions=prediction.predictions, references=prediction.label_ids)

    model, tokenizer = model_args.build_model(train["text"], args.max_length)
    return SiamURETrainer(
        model, args, train, validation, processing_class=tokenizer, compute_metrics=score
    )


def save(trainer, card: dict) -> None:
    """Write model, tokenizer, card and results; names are final only when all of them are whole."""
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
        fail(f"{output} has no room for the model ({error}); make some and resume from the last checkpoint, if any")
    finally:
        if trainer.args.should_save:
            shutil.rmtree(partial, ignore_errors=True)


def main(argv: list[str] | None = None):
    from modeling_siamure.training.model_card import read_template, results_table

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
        rows = f"{len(trainer.train_dataset)} examples trained on, {len(trainer.eval_dataset)} scored"
        table = results_table(results, model_args.num_clusters)
        print(f"\n{rows}\n\n{table or 'no gold relations, so no scores'}\n\nSaved to {args.output_dir}")
    if args.push_to_hub:
        try:
            trainer.push_to_hub(**card)
        except (OSError, HTTPError) as error:
            fail(f"the model is in {args.output_dir}, but {trainer.hub_model_id} was not published: {error}")


if __name__ == "__main__":
    main()
