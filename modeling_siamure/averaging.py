"""An encoder between the one that a training starts from and the one that it ends with (Wortsman et al. 2022)."""

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor


class Start:
    """The weights of a module at a moment, copied to the processor.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 1.0)
    >>> start = Start(layer)
    >>> _ = nn.init.constant_(layer.weight, 3.0)
    >>> start.mix_into(layer, share=0.25)
    >>> layer.weight.item()
    2.5
    """

    def __init__(self, module: nn.Module):
        self._weights = {name: weight.detach().cpu().clone() for name, weight in module.named_parameters()}

    @torch.no_grad()
    def mix_into(self, module: nn.Module, share: float):
        """Moves the weights of a module towards these, also where its own are shards.

        Args:
            module: The same module, later.
            share: Of these weights in the result: 0 changes nothing, 1 restores them.
        """
        for name, weight in module.named_parameters():
            start = self._weights[name].to(weight.device)
            if isinstance(weight, DTensor):
                start = distribute_tensor(start, weight.device_mesh, weight.placements)
            weight.lerp_(start, share)
