"""Says what memory a model needs to be trained, fine-tuned and to answer, how many GPUs, and how much disk.

python -m scripts.size 7e9 --tokens 512 --sequences 8
python -m scripts.size 7e9 --trained-share 0.1 --bits 16

Beside the published rules (80 GB of GPU memory for 1e9 parameters trained at 32 bit; 1 MB a token of each sequence)
stands what was measured of models of this project, with its conditions, and the rule corrected by it: what is fixed
stays, what moves with the tokens is multiplied. GB are 1e9 bytes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from scripts.embedded.layout import ROOT

WEIGHT, GRADIENT, MOMENTS = 4, 4, 8  # bytes of a parameter at 32 bit; the moments are Adam's
TRAINED_BYTES = 80
"""Of a parameter that is trained at 32 bit, at most, by the rule."""
MOVING_BYTES = TRAINED_BYTES - WEIGHT - GRADIENT - MOMENTS
"""Of them, what is left for a step."""
TOKEN_BYTES = 1e6
"""Of a token of a sequence that is answered, by the rule."""
GPUS = {"T4": 16, "L4": 24, "V100": 32, "A100": 80, "H100": 80, "H200": 141}
"""Memory in GB, by kind."""
MEASURED = ROOT / "bench" / "size.json"
GB = 1e9


class Refused(Exception):
    """A number that means nothing; its text is the one sentence that is printed."""


@dataclass(frozen=True)
class Asked:
    """A model and how it is used; ``trained`` is the share of its parameters that a fine-tuning changes."""

    parameters: float
    tokens: float = 512
    sequences: float = 1
    bits: int = 32
    trained: float = 1.0


@dataclass(frozen=True)
class Row:
    """What one use needs: bytes by the rule, ``fixed`` and ``moving``, which depend on the tokens at once.

    Fixed are weights and, of what is trained, gradients and Adam's moments. ``share`` of the moving bytes was measured,
    ``where`` says of what; None: not measured.
    """

    use: str
    fixed: float
    moving: float
    share: float | None = None
    where: str = ""

    @property
    def rule(self) -> float:
        return self.fixed + self.moving

    @property
    def corrected(self) -> float | None:
        return None if self.share is None else self.fixed + self.moving * self.share


def rows(asked: Asked, measured: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return what training, fine-tuning and answering need.

    :param measured: rows of bench/size.json, each with its ``use``, ``tokens``, ``trained``, ``moving`` and ``said``.
    """
    answering = Row("answer", asked.parameters * asked.bits / 8, asked.sequences * asked.tokens * TOKEN_BYTES)
    found = [_corrected(_training("train", 1.0, asked), 1.0, asked, measured)]
    if asked.trained < 1:
        part = _training(f"fine-tune {asked.trained:g} of it", asked.trained, asked)
        found.append(_corrected(part, asked.trained, asked, measured))
    return [*found, _corrected(answering, 0.0, asked, measured)]


def _training(use: str, trained: float, asked: Asked) -> Row:
    fixed = WEIGHT + (GRADIENT + MOMENTS) * trained
    return Row(use, asked.parameters * fixed, asked.parameters * MOVING_BYTES * trained)


def _corrected(row: Row, trained: float, asked: Asked, measured: Sequence[Mapping[str, Any]]) -> Row:
    """Of what was measured of the same kind, the nearest counts: by share that is trained, then by tokens."""
    kind = "train" if trained else "answer"
    alike = [each for each in measured if each["use"] == kind and each["tokens"]]
    if not alike:
        return row
    tokens = asked.tokens * asked.sequences
    nearest = min(alike, key=lambda e: (abs(e["trained"] - trained), abs(math.log(e["tokens"] / tokens))))
    return replace(row, share=nearest["moving"], where=nearest["said"])


def told(asked: Asked, report: Mapping[str, Any]) -> str:
    """Return all of it as text."""
    found = rows(asked, report.get("rows", ()))
    heads = ("fixed", "moving", "by the rule", "moving, measured", "corrected")
    lines = [
        f"{asked.parameters:g} parameters; {asked.sequences:g} sequences of {asked.tokens:g} tokens, answered at "
        f"{asked.bits} bit",
        "",
        f"{'GB of memory':<20}" + "".join(f"{head:>18}" for head in heads),
    ]
    for row in found:
        by_rule = (f"{each / GB:,.1f}" for each in (row.fixed, row.moving, row.rule))
        lines.append(f"{row.use:<20}" + "".join(f"{cell:>18}" for cell in (*by_rule, *_correction(row))))
    lines += ["", f"{'GPUs, by memory':<20}" + "".join(f"{f'{kind} {gb} GB':>13}" for kind, gb in GPUS.items())]
    for row in found:
        needed = (_gpus(row, gb) for gb in GPUS.values())
        lines.append(f"{row.use:<20}" + "".join(f"{cell:>13}" for cell in needed))
    weights, checkpoint = asked.parameters * WEIGHT, asked.parameters * (WEIGHT + MOMENTS)
    lines += ["", f"On disk: weights {weights / GB:,.1f} GB at 32 bit, {weights / 2 / GB:,.1f} GB at 16; a checkpoint "
              f"with Adam's moments {checkpoint / GB:,.1f} GB{_measured_checkpoint(report)}"]  # fmt: skip
    return "\n".join([*lines, "", *_said(found, report)])


def _correction(row: Row) -> tuple[str, str]:
    if row.share is None or row.corrected is None:
        return "not measured", ""
    return f"x {row.share:.2f}", f"{row.corrected / GB:,.1f}"


def _gpus(row: Row, gb: float) -> str:
    """By the rule and, where that differs, corrected."""
    by_rule = math.ceil(row.rule / (gb * GB))
    corrected = by_rule if row.corrected is None else math.ceil(row.corrected / (gb * GB))
    return f"{by_rule:,}" if corrected == by_rule else f"{by_rule:,} ({corrected:,})"


def _measured_checkpoint(report: Mapping[str, Any]) -> str:
    per = report.get("checkpoint_bytes_a_parameter")
    return f" (measured: {per:.2f} bytes a parameter)" if per else ""


def _said(found: Sequence[Row], report: Mapping[str, Any]) -> list[str]:
    if not report:
        return [f"Nothing is measured here yet: python -m scripts.bench size writes {MEASURED.name}."]
    lines = [f"Measured for {row.use}: {row.where}." for row in found if row.where]
    return [
        *lines,
        f"All of it {report['on']}, {report['measured']}; not yet measured on a GPU.",
        "Fixed are weights and, in training, gradients and Adam's moments. Moving is what a step or an answer needs",
        "for its tokens: a wider model has less of it for each parameter, and needs between fixed and corrected.",
        "In brackets: GPUs by the corrected figure. Memory alone is counted; GPUs that share a model need some more.",
    ]


def main(arguments: list[str] | None = None, measured: Path = MEASURED) -> int:
    try:
        asked = _asked(arguments)
        report = json.loads(measured.read_text()) if measured.exists() else {}
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"{measured} is no JSON ({error}); measure again with python -m scripts.bench size.", file=sys.stderr)
        return 2
    print(told(asked, report))
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message}; such as: make size PARAMETERS=7e9 TOKENS=512 SEQUENCES=8.")


def _asked(arguments: list[str] | None) -> Asked:
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parameters", nargs="?", help="of the model, such as 7e9")
    parser.add_argument("--tokens", default="512", help="of a sequence, asked and answered")
    parser.add_argument("--sequences", default="1", help="at once")
    parser.add_argument("--bits", default="32", help="of a weight when answering: 32, 16, 8 or 4")
    parser.add_argument("--trained-share", default="1", help="of the parameters, that a fine-tuning changes")
    given = parser.parse_args(arguments)
    if given.parameters is None:
        raise Refused("Say how many parameters the model has, such as make size PARAMETERS=7e9.")
    bits = _number("--bits", given.bits)
    if bits not in (32, 16, 8, 4):
        raise Refused(f"--bits is {given.bits}; weights have 32, 16, 8 or 4 bits.")
    share = _number("--trained-share", given.trained_share)
    if share > 1:
        raise Refused(f"--trained-share is {given.trained_share}; it is a share of the parameters, at most 1.")
    parameters = _number("PARAMETERS", given.parameters)
    return Asked(parameters, _number("TOKENS", given.tokens), _number("SEQUENCES", given.sequences), int(bits), share)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Refused(f"{name} is {text!r}, which is no number; give it like 512 or 7e9.") from None
    if not (0 < value < math.inf):
        raise Refused(f"{name} is {text}; it must be above 0.")
    return value


if __name__ == "__main__":
    sys.exit(main())
