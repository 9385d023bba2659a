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

from modeling_siamure.recipe import DataArguments, ModelArguments, load_metric, parse_arguments
from modeling_siamure.training.training_args import SiamURETrainingArguments
from modeling_siamure.utils import terminal
from modeling_siamure.utils.files import lock_folder

fail = functools.partial(terminal.fail, program="train.py")


def build_trainer(
    model_args: ModelArguments, data_args: DataArguments, args: SiamURETrainingArguments
):
    """Build the model, and a trainer on the rows that the arguments name."""
    from transformers import EvalPrediction, set_seed

    from data_scripts.loading import load_train_and_validation
    from modeling_siamure import SiamURETrainer

    set_seed(args.seed)
    metric = load_metric(data_args.metric, model_args.trust_remote_code)
    source = {key: value for key, value in vars(data_args).items() if key != "metric"}
    train, validation = load_train_and_validation(**source, seed=args.seed)

    def score(prediction: EvalPrediction) -> dict[str, float]:
        return metric.compute(predictions=prediction.predictions, references=prediction.label_ids)

    model, tokenizer = model_args.build_model(train["text"], args.max_length)
    return SiamURETrainer(
        model, args, train, validation, processing_class=tokenizer, compute_metrics=score
    )


def report(trainer, scores: list[list[str]], score_names: list[str]) -> None:
    """Print how good the clusters are, which they are, and what to do next."""
    output = trainer.args.output_dir
    num_scored = len(trainer.eval_dataset)
    print(f"\n{len(trainer.train_dataset)} examples trained on, {num_scored} scored\n")
    if trainer.untrained_because:
        print(f"not trained, because {trainer.untrained_because}\n")
    if scores:
        terminal.print_table(["clusters of", *score_names], scores)
    else:
        print("no gold relations, so no scores")
    print(f"\nThe relations that were found, by {trainer.clustering_method}:\n")
    for cluster in sorted(trainer.clusters, key=lambda cluster: -cluster.size):
        print(f"{cluster.size:>8,}  {cluster.name}")
    print(f"\nSaved to {output}. What to do next:")
    print(f"  siamure assign FILE --model {output}    # these clusters for other sentences")
    print(f"  siamure discover FILE --model {output} --output_dir FOLDER    # and a report")


def main(argv: list[str] | None = None) -> None:
    """Run the command; a person's mistake is one line and exit status 2."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    with terminal.end_in_one_line("train.py"):
        words = sys.argv[1:] if argv is None else argv
        model_args, data_args, args = parse_arguments(words, on_error=fail)
        with lock_folder(Path(str(args.output_dir)), args.should_save, is_new=False):
            train(model_args, data_args, args)


def train(
    model_args: ModelArguments, data_args: DataArguments, args: SiamURETrainingArguments
) -> None:
    """Train, score, save and, if asked to, publish."""
    # Not at the top: they would make --help slow.
    from modeling_siamure.training.checkpointing import check_output_dir
    from modeling_siamure.training.model_card import SCORES, read_template, score_rows

    check_output_dir(args)
    read_template()
    args.disable_tqdm = args.disable_tqdm or not sys.stderr.isatty()
    terminal.quiet_libraries(show_progress=not args.disable_tqdm)
    trainer = build_trainer(model_args, data_args, args)
    if trainer.is_finished():
        if trainer.is_world_process_zero():
            print(f"{args.output_dir} holds the model of this command: it is not trained again")
    else:
        results = trainer.score_type_pairs() | trainer.evaluate(metric_key_prefix="untrained")
        dataset = data_args.dataset_name or Path(data_args.train_file).name
        if data_args.reader_options:  # without the folders of this machine
            options = [re.sub("=.*/(?=.)", "=", option) for option in data_args.reader_options]
            dataset += f" ({', '.join(options)})"
        results |= trainer.train().metrics | trainer.evaluate()
        encoder = model_args.model_name_or_path
        trainer.save_run(results, dataset=dataset, finetuned_from=encoder)
        if trainer.is_world_process_zero():
            report(trainer, score_rows(results, model_args.num_clusters), list(SCORES))
    if args.push_to_hub:
        trainer.push_run()


if __name__ == "__main__":
    main()
