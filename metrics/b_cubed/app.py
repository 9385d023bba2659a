"""The metric as a page: two columns of labels in, the scores out."""

import json

import gradio as gr
from b_cubed import clustering_scores

INTRODUCTION = """\
# B3, V-measure and adjusted Rand index

Paste the cluster and the class of every item, one a line, both columns in the same order. A line that is JSON means
that value (`3` an integer, `"3"` a string, `null` a missing label); any other line means its text.
"""

TABLE = """\
|           | F1                  | precision, homogeneity         | recall, completeness            |
| --------- | ------------------- | ------------------------------ | ------------------------------- |
| B3        | {b3_f1:.6f}         | {b3_precision:.6f}             | {b3_recall:.6f}                 |
| V-measure | {v_measure_f1:.6f}  | {v_measure_homogeneity:.6f}    | {v_measure_completeness:.6f}    |
| ARI       | {ari:.6f}           |                                |                                 |

{n_items} items in {n_clusters} clusters and {n_classes} classes.
"""


def read_label(line: str) -> object:
    """A line as the value that its JSON means, as its text where it is no JSON, as None where it is blank."""
    try:
        return json.loads(line) if line.strip() else None
    except json.JSONDecodeError:
        return line.strip()


def read_labels(column: str) -> list[object]:
    """One label a line; blank lines at the end don't count."""
    return [read_label(line) for line in column.rstrip().splitlines()]


def score(predictions: str, references: str, beta: float, ignore_label: str) -> str:
    """The seven numbers as a table; what `clustering_scores` refuses is shown as an error on the page."""
    ignored = read_label(ignore_label)
    try:
        scores = clustering_scores(read_labels(predictions), read_labels(references), beta, ignored)
    except ValueError as error:
        raise gr.Error(str(error), duration=None, print_exception=False) from None
    dropped = f" {scores['n_ignored']} items were ignored." if ignored is not None else ""
    return TABLE.format(**scores) + dropped


with gr.Blocks(title="B3, V-measure, ARI") as demo:
    gr.Markdown(INTRODUCTION)
    with gr.Row():
        predictions = gr.Textbox("0\n0\n0\n1", label="predictions", info="clusters", lines=8, elem_id="predictions")
        references = gr.Textbox("cat\ncat\ndog\ndog", label="references", info="classes", lines=8, elem_id="references")
    with gr.Row():
        beta = gr.Number(1.0, label="beta", info="above 1: recall and completeness count more", elem_id="beta")
        ignore_label = gr.Textbox(label="ignore_label", info="a class to leave out, or empty", elem_id="ignore_label")
    button = gr.Button("Score", variant="primary", elem_id="score")
    result = gr.Markdown(elem_id="result")
    button.click(score, [predictions, references, beta, ignore_label], result, api_name="score")

if __name__ == "__main__":
    demo.launch()
