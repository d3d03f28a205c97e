"""Whether an independent classifier reads the secret's label off what was recovered."""

from ...secrets.judging import has_judge, labels_recovered, unsure
from ..metric import Metric

METRIC = Metric(
    name="label",
    title="label",
    place=5,
    compute=labels_recovered,
    low=0,
    high=1,
    unsure=unsure,
    applies=has_judge,
)
