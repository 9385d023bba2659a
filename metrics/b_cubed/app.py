"""The metric as a page: two columns of labels in, the scores out."""

import json

import gradio as gr
from b_cubed import clustering_scores

MISSING = ("", "None", "nan", "<NA>")  # as Python, numpy and pandas print it

INTRODUCTION = """\
# B3, V-measure and adjusted Rand index

Paste the cluster and the class of every item, one per line, both columns in the same order. A line that is JSON means
that value (`3` an integer, `"3"` a string); a blank line, `null`, `None`, `nan` mean a missing label, which is refused;
any other line means its text.
"""

TABLE = """\
|           | F1, index           | precision, homogeneity         | recall, completeness            |
| --------- | ------------------- | ------------------------------ | ------------------------------- |
| B3        | {b3_f1:.6f}         | {b3_precision:.6f}             | {b3_recall:.6f}                 |
| V-measure | {v_measure_f1:.6f}  | {v_measure_homogeneity:.6f}    | {v_measure_completeness:.6f}    |
| ARI       | {ari:.6f}           |                                |                                 |

{n_items} items in {n_clusters} clusters and {n_classes} classes"""


def read_label(line: str) -> object:
    """Read a line as JSON or as text; None where it is blank or in `MISSING`."""
    text = line.strip()
    if text in MISSING:
        return None
    try:
        return json.loads(text)
    except (
        ValueError,
        RecursionError,
    ):  # no JSON, an integer too long to convert, or lists too deep
        return text


def read_labels(column: str) -> list[object]:
    """Read one label per line; blank lines at the end do not count."""
    return [read_label(line) for line in column.rstrip().splitlines()]


def score(predictions: str, references: str, beta: float, ignore_label: str) -> str:
    """Return the seven numbers as a table; a mistake is shown as an error on the page."""
    ignored = read_label(ignore_label)
    try:
        scores = clustering_scores(read_labels(predictions), read_labels(references), beta, ignored)
    except ValueError as error:
        raise gr.Error(str(error), duration=None, print_exception=False) from None
    return TABLE.format(**scores) + (
        f"; items ignored: {scores['n_ignored']}" if ignored is not None else ""
    )


with gr.Blocks(title="B3, V-measure, ARI") as demo:
    gr.Markdown(INTRODUCTION)
    with gr.Row():
        predictions = gr.Textbox(
            "0\n0\n0\n1", label="predictions", info="clusters", lines=8, elem_id="predictions"
        )
        references = gr.Textbox(
            "cat\ncat\ndog\ndog", label="references", info="classes", lines=8, elem_id="references"
        )
    with gr.Row():
        beta = gr.Number(
            1.0, label="beta", info="above 1: recall and completeness count more", elem_id="beta"
        )
        ignore_label = gr.Textbox(
            label="ignore_label", info="a class to leave out, or empty", elem_id="ignore_label"
        )
    button = gr.Button("Score", variant="primary", elem_id="score")
    result = gr.Markdown(elem_id="result")
    # Emptied first, so that an error never stands over the numbers of other labels.
    emptied = button.click(lambda: "", outputs=result, api_visibility="private")
    emptied.then(score, [predictions, references, beta, ignore_label], result, api_name="score")

if __name__ == "__main__":
    demo.launch()
