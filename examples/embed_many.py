"""Embed more sentences than one machine should: the embedding part, spread over a Ray cluster.

    pip install ".[ray]"
    python examples/embed_many.py siamure-demo "marked/*.parquet" embedded --workers 1

Reads Parquet files with a `text` column of marked sentences, block by block, and writes Parquet
files with all columns, h as `relation_embedding` and the cluster as `cluster`. Without
`RAY_ADDRESS` it starts Ray on this machine; on a cluster, paths must be ones that all its machines
reach. Blocks of a machine that is lost are embedded again by others.
"""

import argparse
import glob

import numpy as np
import ray
import torch
from accelerate import Accelerator
from datasets import Dataset
from transformers import AutoModel, AutoTokenizer

import modeling_siamure  # noqa: F401 - registers the Auto classes
from modeling_siamure.clustering import assign
from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.embedding import embed_dataset


class Embedder:
    """Holds the model in a worker for as long as the worker lives."""

    def __init__(self, model: str, threads: int):
        torch.set_num_threads(threads)
        self.accelerator = Accelerator()
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.model = AutoModel.from_pretrained(model).to(self.accelerator.device)
        self.centroids = self.model.cluster_centroids.cpu().numpy()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = tokenize_dataset(Dataset.from_dict({"text": batch["text"].tolist()}), self.tokenizer)
        embeddings = embed_dataset(
            self.model, self.tokenizer, rows, self.accelerator, relation_only=True
        )
        h = np.array(embeddings.relation)
        return batch | {"relation_embedding": h, "cluster": assign(h, self.centroids)}


def main() -> None:
    """Embed the files; a mistake on the line is one line and exit status 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="folder or hub name of a trained model")
    parser.add_argument("input", help="Parquet files, such as 'marked/*.parquet'")
    parser.add_argument("output", help="a folder for the Parquet files that are written")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--threads", type=int, default=1, help="of each worker, which Ray keeps processors for"
    )
    parser.add_argument("--gpus", type=float, default=0, help="of each worker")
    args = parser.parse_args()
    files = sorted(glob.glob(args.input)) if "://" not in args.input else [args.input]
    if not files:
        parser.error(f"there are no files {args.input}")
    ray.init(log_to_driver=False, include_dashboard=False)
    if args.workers * args.threads >= ray.cluster_resources()["CPU"]:
        parser.error(
            "the workers take all processors, and Ray needs one to read with; lower --workers or "
            "--threads"
        )
    rows = ray.data.read_parquet(files)
    if "text" not in rows.schema().names:
        parser.error(f"{args.input}: there is no column text; it must hold marked sentences")
    rows.map_batches(
        Embedder,
        fn_constructor_args=(args.model, args.threads),
        batch_size=4096,
        compute=ray.data.ActorPoolStrategy(size=args.workers),
        num_cpus=args.threads,
        num_gpus=args.gpus,
    ).write_parquet(args.output)
    print(f"{args.output}: {rows.count()} rows")


if __name__ == "__main__":
    main()
