"""Embedding beside `SentenceTransformer.encode`: same encoder, all its layers, same tokenizer and batches.

    python -m benchmarks.embedding [--rows 2048] [--batch_size 64] [--repeats 3]

Both sides tokenize what they embed, in float32, one after the other in turn. Ours pools by marker, theirs by mean.
"""

import argparse
import time

import numpy as np
from accelerate import Accelerator
from datasets import Dataset, disable_progress_bars
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoTokenizer

from modeling_siamure import SiamUREModel
from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.evaluation import embed
from modeling_siamure.markers import extend_tokenizer
from train import encoder_path

from .jitter import ENCODER
from .runs import ratio_table, threads, write
from .text import sentences


def padding(lengths: np.ndarray, order: np.ndarray, batch_size: int) -> float:
    """The tokens of batches in an order, padded to their longest, by those without padding."""
    batches = [lengths[order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
    return sum(batch.max() * len(batch) for batch in batches) / lengths.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    disable_progress_bars()
    texts, path = sentences(args.rows), encoder_path(ENCODER)
    tokenizer, accelerator = AutoTokenizer.from_pretrained(path), Accelerator(cpu=True)
    model = SiamUREModel.from_encoder(path, tokenizer, [], pooling="marker")
    transformer = Transformer(path, max_seq_length=128)
    extend_tokenizer(transformer.tokenizer, [])
    transformer.model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    transformer.model.load_state_dict(model.encoder.state_dict(), strict=False)  # it has a pooler that nobody reads
    theirs = SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())], device="cpu")

    def ours():
        rows = tokenize_dataset(Dataset.from_dict({"text": texts}), tokenizer)
        return embed(model, rows, tokenizer, accelerator, args.batch_size, relation_only=True).relation

    searches = {
        "SentenceTransformer.encode": lambda: theirs.encode(texts, batch_size=args.batch_size, show_progress_bar=False),
        "siamure": ours,
    }
    sides = {name: [] for name in searches}
    with threads(args.threads):
        for _ in range(args.repeats):
            for name, run in searches.items():
                wall, processor = time.perf_counter(), time.process_time()
                assert len(run()) == len(texts)
                wall, processor = time.perf_counter() - wall, time.process_time() - processor
                sides[name].append({"sentences/s": len(texts) / wall, "sentences/processor s": len(texts) / processor})
                print(name, sides[name][-1], flush=True)
    lengths = np.array([len(ids) for ids in tokenizer(texts)["input_ids"]])
    by_characters = np.argsort([-len(text) for text in texts], kind="stable")
    waste = {
        "SentenceTransformer.encode (sorted by characters)": padding(lengths, by_characters, args.batch_size),
        "siamure (sorted by tokens)": padding(lengths, np.argsort(-lengths, kind="stable"), args.batch_size),
    }
    table = ratio_table(sides, "sentences/processor s", "SentenceTransformer.encode")
    table += "\n\nTokens with padding, by those without: " + "; ".join(f"{k} {v:.3f}" for k, v in waste.items())
    write("embedding", vars(args) | {"sides": sides, "padding": waste}, table)


if __name__ == "__main__":
    main()
