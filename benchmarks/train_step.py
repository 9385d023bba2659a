"""Training steps beside the plain loop that the method's authors published, written anew.

    python -m benchmarks.train_step [--encoders minilm bert-base] [--batch_size 64] [--repeats 3] [--float32]

Both sides train the same model from the same start with the same losses, in float32; ours in bfloat16 where that is
native, unless `--float32` is given. The plain loop pads each sentence to 128 tokens, runs a pass for each view and one
for the neighbors, takes the states at the markers row by row, tokenizes the joint phase's sentences in each step, and
reads each step's loss. `of the peak` is the FLOPs that the model needs for the tokens without padding (forward and
twice that backward), by time, of what a square matrix product reaches in the same run and precision.
"""

import argparse
import copy
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer, BertConfig, BertModel

from modeling_siamure import SiamUREModel, SiamURETrainer, SiamURETrainingArguments
from modeling_siamure.losses import semantic_clustering_loss, siamese_loss
from modeling_siamure.markers import HEAD_START, TAIL_START, marker
from modeling_siamure.training_args import has_native_bfloat16
from train import encoder_path

from .jitter import ENCODER
from .runs import ratio_table, threads, write
from .text import sentences

PHASES = ("siamese", "joint")


class PlainLoop:
    """One step after the other over marked sentences, each with one neighbor in the joint phase."""

    def __init__(self, model: SiamUREModel, tokenizer, texts: list[str], neighbors: np.ndarray, batch_size: int):
        self.model, self.tokenizer, self.texts, self.neighbors = model, tokenizer, texts, neighbors
        self.batch_size = batch_size
        self.markers = tokenizer.convert_tokens_to_ids([marker(HEAD_START), marker(TAIL_START)])
        self.encoded = self.tokenize(texts)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
        self.rng = np.random.default_rng(0)

    def tokenize(self, texts: list[str]) -> dict[str, torch.Tensor]:
        return self.tokenizer(texts, padding="max_length", truncation=True, max_length=128, return_tensors="pt")

    def embed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = []
        for row in range(len(ids)):
            places = [ids[row].tolist().index(token) for token in self.markers]
            pooled.append(torch.cat([states[row, place] for place in places]))
        return torch.stack(pooled)

    def loss(self, rows: list[int], phase: str) -> torch.Tensor:
        model = self.model
        if phase == "joint":
            anchors = self.tokenize([self.texts[row] for row in rows])
            others = self.tokenize([self.texts[self.neighbors[row, 0]] for row in rows])
        else:
            anchors = {name: tensor[rows] for name, tensor in self.encoded.items()}
        views = [self.embed(anchors["input_ids"], anchors["attention_mask"]) for _ in range(2)]
        projections = [model.projector(view) for view in views]
        loss = siamese_loss(torch.stack([model.predictor(p) for p in projections]), torch.stack(projections))
        if phase == "joint":
            views.append(self.embed(others["input_ids"], others["attention_mask"]))
            first, second, other = (model.cluster_head(torch.nn.functional.normalize(h, dim=-1)) for h in views)
            loss = loss + 0.5 * sum(semantic_clustering_loss(torch.stack([first, second]), other.unsqueeze(1)))
        return loss

    def step(self, phase: str) -> int:
        rows = self.rng.permutation(len(self.texts))[: self.batch_size].tolist()
        self.optimizer.zero_grad()
        loss = self.loss(rows, phase)
        loss.backward()
        self.optimizer.step()
        loss.item()
        return len(rows)


class OurLoop:
    """The trainer's own batches, loss and optimizer."""

    def __init__(self, trainer: SiamURETrainer, neighbors: np.ndarray):
        self.trainer, self.neighbors = trainer, neighbors
        self.model = trainer.accelerator.prepare_model(trainer.model)  # compiled, where the arguments say so
        self.optimizer = trainer.create_optimizer()
        trainer.current_gradient_accumulation_steps = 1  # what train() would set
        self.batches: Iterator[dict[str, torch.Tensor]] = iter(())
        self.tokens = 0

    def begin(self, phase: str):
        trainer = self.trainer
        trainer.anchors.draw_neighbors(self.neighbors if phase == "joint" else None, 1, 0, 0)
        trainer.batch_sampler.lengths = trainer.anchors.batch_lengths()
        self.batches, self.tokens = iter(trainer.get_train_dataloader()), 0

    def step(self, phase: str) -> int:
        batch = next(self.batches)
        self.optimizer.zero_grad()
        self.trainer.training_step(self.model, batch)
        self.optimizer.step()
        self.tokens += int(batch["attention_mask"].sum())
        return self.trainer._count_anchors(batch)


def matmul_flops(dtype: torch.dtype) -> float:
    """FLOPs a processor second that a product of square matrices reaches: the best of five."""
    matrix, best = torch.randn(1024, 1024, dtype=dtype), 0.0
    for _ in range(5):
        began = time.process_time()
        matrix @ matrix
        best = max(best, 2 * 1024**3 / (time.process_time() - began))
    return best


def build_ours(encoder: str, folder: str, batch_size: int, num_batches: int, **arguments) -> OurLoop:
    """Our side, with so many batches an epoch.

    Args:
        encoder: `"minilm"`, or `"bert-base"`: one of that shape with random weights.
        folder: For that encoder, and the trainer's files.
        batch_size, num_batches: Of an epoch.
        arguments: Of the training.
    """
    path = encoder_path(ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(path)
    if encoder == "bert-base":
        path = folder
        torch.manual_seed(0)
        BertModel(BertConfig(vocab_size=len(tokenizer))).save_pretrained(path)
    rows = Dataset.from_dict({"text": sentences(batch_size * num_batches)})
    torch.manual_seed(0)
    model = SiamUREModel.from_encoder(path, tokenizer, [], pooling="marker", dropout=0.1)
    arguments = SiamURETrainingArguments(
        folder,
        per_device_train_batch_size=batch_size,
        learning_rate=2e-5,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **arguments,
    )
    trainer = SiamURETrainer(model, arguments, train_dataset=rows, processing_class=tokenizer)
    return OurLoop(trainer, np.random.default_rng(0).integers(len(rows), size=(len(rows), 20)))


def build_plain(ours: OurLoop) -> PlainLoop:
    """The other side, from the same start."""
    trainer = ours.trainer
    texts = list(trainer.train_dataset["text"])
    model = copy.deepcopy(trainer.model)
    return PlainLoop(model, trainer.processing_class, texts, ours.neighbors, trainer.args.per_device_train_batch_size)


def model_flops(ours: OurLoop, phase: str, instances: int) -> float:
    """What the encoder needs for the tokens of the steps so far, forward and twice that backward."""
    encoder = ours.trainer.model.encoder
    layers = sum(parameter.numel() for parameter in encoder.encoder.parameters())
    # Of the attention: two products of (tokens, tokens, size); its tokens are a row's, here the mean.
    length = ours.tokens / (instances * (3 if phase == "joint" else 2))
    forward = 2 * layers + 4 * length * encoder.config.hidden_size * encoder.config.num_hidden_layers
    return 3 * forward * ours.tokens


def check(plain: PlainLoop, ours: OurLoop):
    """Without dropout both sides have the same loss for the same rows, to 1e-4."""
    trainer = ours.trainer
    for phase in PHASES:
        ours.begin(phase)
        trainer.model.eval(), plain.model.eval()
        rows = list(range(8))
        drawn = trainer.anchors.drawn
        plain_neighbors, plain.neighbors = plain.neighbors, plain.neighbors if drawn is None else drawn
        batch = trainer.data_collator(trainer.anchors.__getitems__(rows))
        with torch.no_grad():
            found, expected = trainer.compute_loss(trainer.model, batch), plain.loss(rows, phase)
        torch.testing.assert_close(found.float(), expected, rtol=0, atol=1e-4 if not trainer.args.bf16 else 1e-2)
        plain.neighbors = plain_neighbors
        plain.model.train()


def measure(encoder: str, args: argparse.Namespace, bf16: bool) -> dict[str, dict]:
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        ours = build_ours(encoder, folder, args.batch_size, max(50, 256 // args.batch_size), bf16=bf16)
        plain = build_plain(ours)
        check(plain, ours)
        for phase in PHASES:
            sides: dict[str, list[dict[str, float]]] = {"plain": [], "siamure": []}
            for _ in range(args.repeats):
                ours.begin(phase)
                for name, loop in (("plain", plain), ("siamure", ours)):
                    wall, processor = time.perf_counter(), time.process_time()
                    instances = sum(loop.step(phase) for _ in range(args.steps))
                    processor, wall = time.process_time() - processor, time.perf_counter() - wall
                    sides[name].append(
                        {"instances/s": instances / wall, "instances/processor s": instances / processor}
                    )
                peak = matmul_flops(torch.bfloat16 if ours.trainer.args.bf16 else torch.float32)
                sides["siamure"][-1]["of the peak"] = model_flops(ours, phase, instances) / processor / peak
                print(encoder, phase, {name: figures[-1] for name, figures in sides.items()}, flush=True)
            results[phase] = sides
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", nargs="+", choices=["minilm", "bert-base"], default=["minilm", "bert-base"])
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1, help="A repeat and side.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="Ours in float32 too, where bfloat16 is native.")
    args = parser.parse_args()
    bf16 = has_native_bfloat16() and not args.float32
    disable_progress_bars()
    with threads(args.threads):
        for encoder in args.encoders:
            lines, results = [], measure(encoder, args, bf16)
            for phase, sides in results.items():
                share = np.median([figures["of the peak"] for figures in sides["siamure"]])
                lines += [f"{encoder}, {phase} phase; ours reaches {share:.0%} of the peak:", ""]
                lines += [ratio_table(sides, "instances/processor s", "plain"), ""]
            name = f"train_step_{encoder}_{'bfloat16' if bf16 else 'float32'}"
            write(name, vars(args) | results, "\n".join(lines).strip())


if __name__ == "__main__":
    main()
