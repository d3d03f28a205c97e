"""What a worker does with an item, wherever it is."""

from __future__ import annotations

import traceback

import msgspec
import torch

from ...zoo import SplitzooError
from ...zoo.errors import one_line
from ..referee.workers import line_of
from .attacking import AttackItem
from .items import Answer, Item
from .training import TrainItem


def answer(text: str) -> str:
    """Carry out an item and store what comes out; both item and answer are JSON.

    An error that nobody foresaw is printed, and its line is the answer.
    """
    try:
        item: Item = msgspec.json.decode(text, type=AttackItem | TrainItem)
        torch.set_num_threads(item.threads)
        return Answer(note=item.carry_out()).encoded()
    except SplitzooError as error:
        return Answer(refused=one_line(error), misuse=error.exit_status == 2).encoded()
    except Exception as error:
        traceback.print_exc()
        return Answer(broke=line_of(f"{type(error).__name__}: {error}")).encoded()
