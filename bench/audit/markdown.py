"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from tabulate import tabulate

from ...zoo.words import duration
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from .advice import ADVERSARIES
from .record import Attacked, Audit, CutAudit
from .strength import FAMILIES, tells_more, worst


def as_markdown(audit: Audit) -> str:
    """The whole report; its pictures lie beside it, as `picture_of` names them."""
    return "\n\n".join(part.rstrip() for part in _parts(audit)) + "\n"


def _parts(audit: Audit) -> Iterator[str]:
    yield f"# {title_of(audit)}"
    yield "\n".join(f"- {sentence}" for sentence in advice_of(audit))
    yield "## Cuts"
    yield tabulate(
        [cut_row(audit, cut) for cut in audit.cuts],
        CUT_HEADER,
        tablefmt="pipe",
        disable_numparse=True,
    )
    yield note_of(audit)
    for cut in audit.cuts:
        yield f"## Behind {cut.at}"
        yield f"![From top to bottom: {', '.join(shown_rows(cut))}]({picture_of(cut)})"
        yield tabulate(
            [attack_row(each) for each in (*cut.attacked, audit.floor)],
            attack_header(audit),
            tablefmt="pipe",
            disable_numparse=True,
        )
        if cut.left_out:
            yield "\n".join(f"- left out: {each}" for each in cut.left_out)
    yield "## How it was measured"
    yield "\n".join(f"- {sentence}" for sentence in method_of(audit))


CUT_HEADER = (
    "cut behind",
    *FAMILIES.values(),
    "bytes an image",
    "edge multiply-adds",
    "edge parameters",
    "edge ms",
    "noise for 20 dB",
    "Pareto front",
)


def attack_header(audit: Audit) -> list[str]:
    """The columns of a cut's attacks."""
    figures = ["SSIM", "PSNR, dB", "recognisable", "picks its own"]
    label = ["label read"] if audit.judged else []
    return ["adversary", "attack", *figures, *label, "was given", "took"]


def title_of(audit: Audit) -> str:
    return f"What {audit.network} leaks, and where to cut it"


def note_of(audit: Audit) -> str:
    """How the table of cuts is read."""
    return (
        "SSIM is the mean over the scored images of what the strongest attack recovers that an "
        "adversary can run; who holds the weights can run them all. 1 is the image itself. It is "
        "a lower bound: a stronger attack, more time or more images recover more. A figure in "
        f"brackets does not exceed the mean image's ({fmean(audit.floor.ssim):.3f}), which depends "
        "on nothing that is sent: no leak was measured. On the Pareto front are the cuts that no "
        "other beats in leakage, bytes and multiply-adds at once; a cut that met weaker attacks "
        "than the others is left aside."
    )


def picture_of(cut: CutAudit) -> str:
    """Where a cut's picture lies, beside the report."""
    return f"pictures/{cut.at}.png"


def shown_rows(cut: CutAudit) -> list[str]:
    """What the rows of a cut's picture are, from top to bottom."""
    found = [f"{FAMILIES[each.family]} ({each.title})" for each in cut.attacked]
    return ["the originals", *found]


def advice_of(audit: Audit) -> list[str]:
    """The recommendations, the strongest adversary first."""
    return [audit.advice[family] for family in ADVERSARIES if family in audit.advice]


def cut_row(audit: Audit, cut: CutAudit) -> list[str]:
    """A cut's row under CUT_HEADER."""
    return [
        cut.at,
        *(_figure(worst(cut, family), audit.floor) for family in FAMILIES),
        f"{cut.cost.bytes:,}",
        f"{cut.cost.multiply_adds:,}",
        f"{cut.cost.parameters:,}",
        f"{cut.cost.milliseconds:.2f}",
        _percent(cut.noise),
        "yes" if cut.at in audit.front else audit.aside.get(cut.at, ""),
    ]


def _figure(attacked: Attacked | None, floor: Attacked) -> str:
    if attacked is None:
        return "–"
    mean = f"{fmean(attacked.ssim):.3f}"
    return mean if tells_more(attacked, floor) else f"({mean})"


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def attack_row(attacked: Attacked) -> list[str]:
    """An attack's row under `attack_header`."""
    recognisable = sum(each > RECOGNISABLE_SSIM for each in attacked.ssim)
    return [
        FAMILIES.get(attacked.family, "no adversary"),
        attacked.title,
        f"{fmean(attacked.ssim):.3f}",
        f"{fmean(attacked.psnr):.2f}",
        f"{recognisable} of {len(attacked.ssim)}",
        f"{sum(attacked.own)} of {len(attacked.own)}",
        *([] if attacked.label is None else [f"{sum(attacked.label)} of {len(attacked.label)}"]),
        attacked.given,
        duration(attacked.seconds) if attacked.seconds else "",
    ]


def method_of(audit: Audit) -> list[str]:
    """How the figures came about, and what was left out."""
    used = audit.images
    channels, height, width = used.attacked_shape
    found = [
        f"{used.scored} images are scored, which no adversary holds; {used.held} others are the "
        f"adversary's. Seed {used.seed} drew them.",
        f"SSIM above {RECOGNISABLE_SSIM} counts as recognisable. A reconstruction picks its own if "
        "of all scored images its original is the most similar to it.",
        "Bytes are the features as float32, uncompressed; an image in 8 bits is "
        f"{channels * used.network_size[0] * used.network_size[1]:,}. Multiply-adds are those of "
        "convolutions and matrix products.",
        "Noise for 20 dB is a bound instead of an attack: Gaussian noise of this deviation, as a "
        "share of the features' root mean square, added to what is sent keeps every unbiased "
        "reconstruction at 20 dB or below, by the Fisher information (dFIL). The attacks here are "
        "biased by what they know of images, and may do better; nothing here had noise added.",
        f"Measured on {audit.device}, within a budget of {audit.budget:g} s.",
    ]
    if audit.judged:
        found.append(
            f"The label is read by {audit.judged.name}, which is not the attacked network: off "
            f"{audit.judged.originals} of the {used.scored} originals."
        )
    if used.network_size != [height, width]:
        size = "×".join(map(str, used.network_size))
        found.append(
            f"The network takes {size}. Images were reduced to {height}×{width}, and enlarged "
            f"again before the edge saw them: what is recovered and scored is {height}×{width}. "
            f"Bytes and work are those of {size}."
        )
    if used.duplicates:
        found.append(f"{used.duplicates} images that occur twice were left out.")
    if used.skipped:
        few = ", ".join(used.skipped[:10])
        more = f" and {len(used.skipped) - 10} more" if len(used.skipped) > 10 else ""
        found.append(f"Files that were skipped: {few}{more}.")
    return [*found, *(f"Left out: {each}." for each in audit.left_out)]
