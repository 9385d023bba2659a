"""Compare embedding with `SentenceTransformer.encode`: same encoder, tokenizer and batch size.

    python -m benchmarks.speed.embedding [--rows 2048] [--batch_size 64] [--repeats 3]

Both sides use all layers, tokenize what they embed, and compute in float32, one after the other in
turn. Ours pools by marker, theirs by mean.
"""

import numpy as np
from datasets import Dataset, disable_progress_bars
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import PreTrainedTokenizerBase

from modeling_siamure import SiamUREModel
from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.markers import extend_tokenizer
from modeling_siamure.modeling_siamure import resolve_encoder

from ..encoders import ENCODER, build_model, embed_tokenized
from ..runs import BenchmarkParser, Stopwatch, ratio_table, threads, write_report
from .text import sentences

BASELINE = "SentenceTransformer.encode"


def padding(lengths: np.ndarray, order: np.ndarray, batch_size: int) -> float:
    """Return the tokens with padding per token without.

    Args:
        lengths: Tokens of each sentence, `(sentences,)`.
        order: In which sentences go into batches; each batch is padded to its longest.
        batch_size: Sentences per batch.
    """
    starts = range(0, len(order), batch_size)
    batches = [lengths[order[start : start + batch_size]] for start in starts]
    return sum(batch.max() * len(batch) for batch in batches) / lengths.sum()


def build_theirs(
    model: SiamUREModel, tokenizer: PreTrainedTokenizerBase, max_length: int = 128
) -> SentenceTransformer:
    """Build a SentenceTransformer with the weights of our encoder."""
    transformer = Transformer(resolve_encoder(ENCODER), max_seq_length=max_length)
    extend_tokenizer(transformer.tokenizer, [])
    transformer.model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    # Their encoder has a pooler as well, which nothing reads.
    transformer.model.load_state_dict(model.encoder.state_dict(), strict=False)
    pooling = Pooling(transformer.get_embedding_dimension())
    return SentenceTransformer(modules=[transformer, pooling], device="cpu")


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    disable_progress_bars()
    texts = sentences(args.rows)
    model, tokenizer = build_model([], pooling="marker")
    theirs = build_theirs(model, tokenizer)

    def encode_ours() -> np.ndarray:
        tokenized = tokenize_dataset(Dataset.from_dict({"text": texts}), tokenizer)
        return embed_tokenized(model, tokenizer, tokenized, args.batch_size)

    def encode_theirs() -> np.ndarray:
        return theirs.encode(texts, batch_size=args.batch_size, show_progress_bar=False)

    sides: dict[str, list[dict[str, float]]] = {BASELINE: [], "siamure": []}
    with threads(args.threads):
        for _ in range(args.repeats):
            for name, encode in ((BASELINE, encode_theirs), ("siamure", encode_ours)):
                with Stopwatch() as watch:
                    assert len(encode()) == len(texts)
                figures = {
                    "sentences/s": len(texts) / watch.seconds,
                    "sentences/processor s": len(texts) / watch.processor_seconds,
                }
                sides[name].append(figures)
                print(name, figures, flush=True)
    lengths = np.array([len(ids) for ids in tokenizer(texts)["input_ids"]])
    by_characters = np.argsort([-len(text) for text in texts], kind="stable")
    by_tokens = np.argsort(-lengths, kind="stable")
    waste = {
        f"{BASELINE} (sorted by characters)": padding(lengths, by_characters, args.batch_size),
        "siamure (sorted by tokens)": padding(lengths, by_tokens, args.batch_size),
    }
    told = "; ".join(f"{name} {share:.3f}" for name, share in waste.items())
    table = ratio_table(sides, "sentences/processor s", BASELINE)
    table += f"\n\nTokens with padding per token without: {told}"
    write_report(args, "speed/embedding", {"sides": sides, "padding": waste}, table)


if __name__ == "__main__":
    main()
