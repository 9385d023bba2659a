"""A training as a person watches it: one progress bar per epoch, one line of figures at its end."""

from tqdm.auto import tqdm
from transformers import TrainerCallback

# Column of the table to the name that the logs have for it, and its decimals.
COLUMNS = {
    "loss": ("loss", 3),
    "siamese": ("loss_siamese", 3),
    "consistency": ("loss_consistency", 3),
    "entropy": ("loss_entropy", 3),
    "h spread": ("h_spread", 2),
    "h rank": ("h_effective_rank", 1),
    "g spread": ("g_spread", 2),
    "confidence": ("confidence", 2),
    "clusters": ("used_clusters", 0),
    "kept neighbors": ("neighbor_overlap", 2),
}


class EpochTableCallback(TrainerCallback):
    """Show a progress bar per epoch, and print the figures of its end as a line of a table.

    It replaces the bar of transformers, which prints raw dictionaries.
    """

    def __init__(self):
        self.bar = None
        self.logs = {}
        self.has_header = False

    def on_epoch_begin(self, args, state, control, **kwargs):
        if not state.is_world_process_zero:
            return
        self.logs = {}
        epoch = int(state.epoch or 0)
        num_epochs = -(-state.num_train_epochs // 1)
        num_steps = round(state.max_steps / max(state.num_train_epochs, 1))
        is_joint = args.clustering_loss != "none" and epoch >= args.warmup_epochs
        self.bar = tqdm(
            total=num_steps,
            initial=state.global_step - epoch * num_steps,
            desc=f"Training on {'both losses' if is_joint else 'the siamese loss'}, "
            f"epoch {epoch + 1} of {num_epochs:.0f}",
            unit="step",
            disable=args.disable_tqdm,
        )

    def on_step_end(self, args, state, control, **kwargs):
        if self.bar is not None:
            self.bar.update()

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logs |= logs or {}
        if self.bar is not None and "loss" in self.logs:
            self.bar.set_postfix_str(f"loss {self.logs['loss']:.3f}", refresh=False)

    def on_epoch_end(self, args, state, control, **kwargs):
        if self.bar is None:
            return
        self.bar.close()
        self.bar = None
        if not self.has_header:
            print("\n" + "  ".join(["epoch", *COLUMNS]))
            self.has_header = True
        cells = [f"{state.epoch:5.0f}"]
        for column, (name, decimals) in COLUMNS.items():
            value = self.logs.get(name)
            text = "–" if value is None else f"{value:.{decimals}f}"
            cells.append(text.rjust(len(column)))
        print("  ".join(cells))
