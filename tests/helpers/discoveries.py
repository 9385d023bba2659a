"""The folder of a discovery, without a discovery: what an export needs of it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modeling_siamure.clustering.descriptions import ClusterDescription
from modeling_siamure.clustering.storage import save_clusters
from modeling_siamure.configuration_siamure import SiamUREConfig

EVIL = '=cmd;"a"\x01</data>'


def inverse_rows(count):
    for number in range(count):
        child, parent = f"Kim{number}", f"Lee{number}"
        yield f"1{number}", f"<e1> {child} </e1> of <e2> {parent} </e2>", 0, 1.0
        yield f"2{number}", f"<e1> {parent} </e1> had <e2> {child} </e2>", 1, 1.0
        yield f"3{number}", f"<e1> Ann{number} </e1> wed <e2> Bob{number} </e2>", 2, 1.0
        yield f"4{number}", f"<e1> Bob{number} </e1> wed <e2> Ann{number} </e2>", 2, 1.0


def write_discovery(folder: Path) -> Path:
    """Write 17 facts of three relations, two of them inverse, one with an evil name."""
    names = ["PERSON→PERSON · child, son", "PERSON→PERSON · parent", "wed"]
    rows = [
        {"id": key, "text": text, "cluster": cluster, "name": names[cluster], "score": score}
        for key, text, cluster, score in inverse_rows(4)
    ]
    evil = f"<e1:A;B> {EVIL} </e1:A;B> wed <e2:C> Ann1 </e2:C>"
    rows.append({"id": "x;y", "text": evil, "cluster": 2, "name": "wed", "score": 0.5})
    rows.append({"id": "z", "text": "no", "cluster": -1, "name": "unassigned", "score": 0.5})
    pq.write_table(pa.Table.from_pylist(rows), folder / "assignments.parquet")
    clusters = [
        ClusterDescription(
            name,
            4,
            [row["text"] for row in rows if row["name"] == name][:2],
            [row["text"] for row in rows if row["name"] == name][1:3],
            ["child", "son"],
            {"PERSON→PERSON": 4},
        )
        for name in names
    ]
    encoder = {"model_type": "bert", "hidden_size": 8, "num_attention_heads": 2}
    config = SiamUREConfig(encoder_config=encoder, id2label=dict(enumerate(names)))
    config.cluster_sizes = [4, 4, 9]
    config.save_pretrained(folder / "model")
    save_clusters(folder / "model", clusters)
    return folder
