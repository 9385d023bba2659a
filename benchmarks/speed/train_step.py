"""Compare training steps with the plain loop that the method's authors published, written anew.

    python -m benchmarks.speed.train_step [--encoders minilm bert-base] [--batch_size 64]

Both sides train the same model from the same start with the same losses, in float32; ours in
bfloat16 where that is native, unless `--float32` is given. The plain loop pads each sentence to 128
tokens, runs a pass per view and one for the neighbors, takes the states at the markers example by
example, tokenizes the joint phase's sentences in each step, and reads each step's loss. `of the
peak` is the FLOPs that the model needs for the tokens without padding (forward and twice that
backward), per time, divided by what a square matrix product reaches in the same run and precision.
"""

import argparse
import copy
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from transformers import BertConfig, BertModel, PreTrainedTokenizerBase

from modeling_siamure import (
    SiamUREModel,
    SiamURETrainer,
    SiamURETrainingArguments,
    load_tokenizer,
)
from modeling_siamure.losses import semantic_clustering_loss, siamese_loss
from modeling_siamure.markers import HEAD_START, TAIL_START, marker
from modeling_siamure.training.training_args import has_native_bfloat16

from ..encoders import ENCODER, build_model
from ..runs import BenchmarkParser, Stopwatch, matmul_flops, ratio_table, threads, write_report
from .text import sentences

ENCODERS = ("minilm", "bert-base")
PHASES = ("siamese", "joint")


class PlainLoop:
    """Take one step after the other over marked sentences, in the joint phase with one neighbor.

    Args:
        model: What is trained.
        tokenizer: Its tokenizer.
        texts: Marked sentences.
        neighbors: Positions of the neighbors of each sentence, `(sentences, neighbors)`; the first
            one is used.
        batch_size: Sentences per step.
        max_length: Tokens to which each sentence is padded.
    """

    def __init__(
        self,
        model: SiamUREModel,
        tokenizer: PreTrainedTokenizerBase,
        texts: list[str],
        neighbors: np.ndarray,
        batch_size: int,
        max_length: int = 128,
    ):
        self.model = model
        self.tokenizer = tokenizer
        self.texts = texts
        self.neighbors = neighbors
        self.batch_size = batch_size
        self.max_length = max_length
        self.markers = tokenizer.convert_tokens_to_ids([marker(HEAD_START), marker(TAIL_START)])
        self.encoded = self.tokenize(texts)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
        self.rng = np.random.default_rng(0)

    def tokenize(self, texts: list[str]) -> dict[str, torch.Tensor]:
        """Tokenize texts, each padded to `max_length`."""
        return self.tokenizer(
            texts,
            padding="max_length",
            truncation=True,
            max_length=self.max_length,
            return_tensors="pt",
        )

    def embed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Embed a batch: the states at the start markers, example by example."""
        states = self.model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = []
        for row in range(len(ids)):
            places = [ids[row].tolist().index(token) for token in self.markers]
            pooled.append(torch.cat([states[row, place] for place in places]))
        return torch.stack(pooled)

    def loss(self, rows: list[int], phase: str) -> torch.Tensor:
        """Compute the loss of the sentences at these positions."""
        model = self.model
        if phase == "joint":
            anchors = self.tokenize([self.texts[row] for row in rows])
            others = self.tokenize([self.texts[self.neighbors[row, 0]] for row in rows])
        else:
            anchors = {name: tensor[rows] for name, tensor in self.encoded.items()}
        views = [self.embed(anchors["input_ids"], anchors["attention_mask"]) for _ in range(2)]
        projections = [model.projector(view) for view in views]
        predictions = [model.predictor(projection) for projection in projections]
        loss = siamese_loss(torch.stack(predictions), torch.stack(projections))
        if phase == "joint":
            views.append(self.embed(others["input_ids"], others["attention_mask"]))
            logits = [model.cluster_head(torch.nn.functional.normalize(h, dim=-1)) for h in views]
            parts = semantic_clustering_loss(torch.stack(logits[:2]), logits[2].unsqueeze(1))
            loss = loss + 0.5 * sum(parts)
        return loss

    def step(self, phase: str) -> int:
        """Take a step and return the number of its sentences."""
        rows = self.rng.permutation(len(self.texts))[: self.batch_size].tolist()
        self.optimizer.zero_grad()
        loss = self.loss(rows, phase)
        loss.backward()
        self.optimizer.step()
        loss.item()
        return len(rows)


class OurLoop:
    """Take steps with the trainer's own batches, loss and optimizer.

    Args:
        trainer: The trainer.
        neighbors: Positions of the neighbors of each sentence, `(sentences, neighbors)`.
    """

    def __init__(self, trainer: SiamURETrainer, neighbors: np.ndarray):
        self.trainer = trainer
        self.neighbors = neighbors
        # Compiles the model where the arguments say so.
        self.model = trainer.accelerator.prepare_model(trainer.model)
        self.optimizer = trainer.create_optimizer()
        trainer.current_gradient_accumulation_steps = 1  # train() would set it
        self.batches: Iterator[dict[str, torch.Tensor]] = iter(())
        self.tokens = 0

    def begin(self, phase: str) -> None:
        """Prepare the batches of an epoch."""
        trainer = self.trainer
        trainer.anchors.draw_neighbors(self.neighbors if phase == "joint" else None, 1, 0, 0)
        trainer.batch_sampler.lengths = trainer.anchors.batch_lengths()
        self.batches = iter(trainer.get_train_dataloader())
        self.tokens = 0

    def step(self, phase: str) -> int:
        """Take a step and return the number of its sentences, neighbors aside."""
        batch = next(self.batches)
        self.optimizer.zero_grad()
        self.trainer.training_step(self.model, batch)
        self.optimizer.step()
        self.tokens += int(batch["attention_mask"].sum())
        return self.trainer._count_anchors(batch)


def build_ours(
    encoder: str, folder: str, batch_size: int, num_batches: int, **arguments: Any
) -> OurLoop:
    """Build our side.

    Args:
        encoder: `"minilm"`, or `"bert-base"`: one of that shape with random weights.
        folder: For that encoder, and the trainer's files.
        batch_size: Sentences per batch.
        num_batches: Batches per epoch.
        arguments: Further arguments of the training.
    """
    if encoder == "bert-base":
        vocab_size = len(load_tokenizer(ENCODER))
        torch.manual_seed(0)
        BertModel(BertConfig(vocab_size=vocab_size)).save_pretrained(folder)
    name = folder if encoder == "bert-base" else ENCODER
    model, tokenizer = build_model([], name, pooling="marker", dropout=0.1)
    examples = Dataset.from_dict({"text": sentences(batch_size * num_batches)})
    training_arguments = SiamURETrainingArguments(
        folder,
        per_device_train_batch_size=batch_size,
        learning_rate=2e-5,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **arguments,
    )
    trainer = SiamURETrainer(
        model, training_arguments, train_dataset=examples, processing_class=tokenizer
    )
    neighbors = np.random.default_rng(0).integers(len(examples), size=(len(examples), 20))
    return OurLoop(trainer, neighbors)


def build_plain(ours: OurLoop) -> PlainLoop:
    """Build the other side, from the same start."""
    trainer = ours.trainer
    return PlainLoop(
        copy.deepcopy(trainer.model),
        trainer.processing_class,
        list(trainer.train_dataset["text"]),
        ours.neighbors,
        trainer.args.per_device_train_batch_size,
    )


def model_flops(ours: OurLoop, phase: str, instances: int) -> float:
    """Return the FLOPs of the encoder for the tokens of the steps since `begin`.

    Args:
        ours: Has taken the steps.
        phase: One of `PHASES`.
        instances: Sentences of these steps, neighbors aside.
    """
    encoder = ours.trainer.model.encoder
    weights = sum(parameter.numel() for parameter in encoder.encoder.parameters())
    # Attention: two products of (tokens, tokens, size), with the mean length of a sequence.
    length = ours.tokens / (instances * (3 if phase == "joint" else 2))
    sizes = encoder.config.hidden_size * encoder.config.num_hidden_layers
    forward = 2 * weights + 4 * length * sizes
    return 3 * forward * ours.tokens


def check(plain: PlainLoop, ours: OurLoop) -> None:
    """Fail unless both sides have the same loss without dropout, to 1e-4 (bfloat16: 1e-2)."""
    trainer = ours.trainer
    tolerance = 1e-2 if trainer.args.bf16 else 1e-4
    neighbors = plain.neighbors
    rows = list(range(8))
    for phase in PHASES:
        ours.begin(phase)
        trainer.model.eval()
        plain.model.eval()
        if trainer.anchors.drawn is not None:
            plain.neighbors = trainer.anchors.drawn
        batch = trainer.data_collator(trainer.anchors.__getitems__(rows))
        with torch.no_grad():
            loss = trainer.compute_loss(trainer.model, batch).float()
            expected = plain.loss(rows, phase)
        torch.testing.assert_close(loss, expected, rtol=0, atol=tolerance)
        plain.neighbors = neighbors
        plain.model.train()


def measure(
    encoder: str, args: argparse.Namespace, bf16: bool
) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Measure both sides in both phases, repeat by repeat."""
    dtype = torch.bfloat16 if bf16 else torch.float32
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        num_batches = max(50, 256 // args.batch_size)
        ours = build_ours(encoder, folder, args.batch_size, num_batches, bf16=bf16)
        plain = build_plain(ours)
        check(plain, ours)
        for phase in PHASES:
            sides: dict[str, list[dict[str, float]]] = {"plain": [], "siamure": []}
            for _ in range(args.repeats):
                ours.begin(phase)
                for name, loop in (("plain", plain), ("siamure", ours)):
                    with Stopwatch() as watch:
                        instances = sum(loop.step(phase) for _ in range(args.steps))
                    figures = {
                        "instances/s": instances / watch.seconds,
                        "instances/processor s": instances / watch.processor_seconds,
                    }
                    sides[name].append(figures)
                # Ours has run last, so the watch holds its time.
                flops = model_flops(ours, phase, instances) / watch.processor_seconds
                peak = matmul_flops(dtype, torch.device("cpu"))
                sides["siamure"][-1]["of the peak"] = flops / peak
                latest = {name: figures[-1] for name, figures in sides.items()}
                print(encoder, phase, latest, flush=True)
            results[phase] = sides
    return results


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1, help="Per repeat and side.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="Ours in float32 in any case.")
    args = parser.parse_args()
    bf16 = has_native_bfloat16() and not args.float32
    disable_progress_bars()
    with threads(args.threads):
        for encoder in args.encoders:
            results = measure(encoder, args, bf16)
            lines = []
            for phase, sides in results.items():
                share = np.median([figures["of the peak"] for figures in sides["siamure"]])
                title = f"{encoder}, {phase} phase; ours reaches {share:.0%} of the peak:"
                lines += [title, "", ratio_table(sides, "instances/processor s", "plain"), ""]
            precision = "bfloat16" if bf16 else "float32"
            name = f"speed/train_step_{encoder}_{precision}"
            write_report(args, name, results, "\n".join(lines).strip())


if __name__ == "__main__":
    main()
