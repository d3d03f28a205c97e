"""What is attacked, and what attackers bring pretrained: networks, checkpoints and images.

Its names are listed in `__init__.pyi` and imported on first use, so that a command that needs no
network need not wait for torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
