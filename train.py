"""Train and score a SiamURE model from a recipe.

    accelerate launch train.py recipes/demo.yaml --output_dir siamure-demo
    accelerate launch train.py recipes/default.yaml --train_file mine.jsonl --output_dir mine

Each key of a recipe, and each argument of `transformers.TrainingArguments`, can be given on the
command line too, and overrides the recipe.
"""

import functools
import logging
import re
import sys
from pathlib import Path

from huggingface_hub.errors import HTTPError

from modeling_siamure.recipe import DataArguments, ModelArguments, parse_arguments
from modeling_siamure.training.training_args import SiamURETrainingArguments
from modeling_siamure.utils import terminal

fail = functools.partial(terminal.fail, program="train.py")


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


def build_trainer(
    model_args: ModelArguments, data_args: DataArguments, args: SiamURETrainingArguments
):
    """Build the model, and a trainer on the rows that the arguments name."""
    import evaluate
    from transformers import EvalPrediction, set_seed

    from data_scripts.loading import load_train_and_validation
    from modeling_siamure import SiamURETrainer

    set_seed(args.seed)
    source = {key: value for key, value in vars(data_args).items() if key != "metric"}
    train, validation = load_train_and_validation(**source, seed=args.seed)
    metric = evaluate.load(data_args.metric)

    def score(prediction: EvalPrediction) -> dict[str, float]:
        return metric.compute(predictions=prediction.predictions, references=prediction.label_ids)

    model, tokenizer = model_args.build_model(train["text"], args.max_length)
    return SiamURETrainer(
        model, args, train, validation, processing_class=tokenizer, compute_metrics=score
    )


def main(argv: list[str] | None = None) -> None:
    """Run the command; a person's mistake is one line and exit status 2."""
    from modeling_siamure.training.model_card import read_template, results_table

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        arguments = sys.argv[1:] if argv is None else argv
        model_args, data_args, args = parse_arguments(arguments, on_error=fail)
        check_output(args)
        read_template()
        trainer = build_trainer(model_args, data_args, args)
    except (ValueError, OSError, HTTPError) as error:
        fail(error)

    results = trainer.score_type_pairs() | trainer.evaluate(metric_key_prefix="untrained")
    dataset = data_args.dataset_name or Path(data_args.train_file).name
    if data_args.reader_options:  # without the folders of this machine
        options = [re.sub("=.*/(?=.)", "=", option) for option in data_args.reader_options]
        dataset += f" ({', '.join(options)})"
    card = {"dataset": dataset, "finetuned_from": model_args.model_name_or_path}
    try:
        results |= trainer.train().metrics | trainer.evaluate()
        trainer.save_run(results, **card)
    except OSError as error:  # such as a full disk
        fail(error)
    if trainer.is_world_process_zero():
        rows = (
            f"{len(trainer.train_dataset)} examples trained on, {len(trainer.eval_dataset)} scored"
        )
        table = results_table(results, model_args.num_clusters)
        print(f"\n{rows}\n\n{table or 'no gold relations, so no scores'}")
        print(f"\nSaved to {args.output_dir}")
    if args.push_to_hub:
        try:
            trainer.push_to_hub(results=results, **card)
        except (OSError, HTTPError) as error:
            fail(
                f"the model is in {args.output_dir}, but {trainer.hub_model_id} was not published: "
                f"{error}"
            )


if __name__ == "__main__":
    main()
