"""The documents of a made company, Norvik Instruments, as headings and paragraphs: what ``generate`` writes to files.

Each is what a company of that kind keeps: policies, and of every product a data sheet, a manual, release notes, slides
and answers to customers; mail; what only some may read. In revision 2 some policies say something else.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.documents.plans import INJECTIONS, PERSONAL, POLICIES, PRODUCTS, QUESTIONS, UNANSWERED

EVERY_PART = ("membrane", "housing", "cable gland", "display", "seal", "battery door")
TOOLS = ("a dry cloth", "lukewarm water", "isopropyl alcohol", "a soft brush", "compressed air", "distilled water")
FAULTS = (
    "the display stays dark",
    "readings drift after a restart",
    "the unit loses its network address",
    "alarms arrive twice",
    "the battery empties within days",
    "the clock is an hour off",
)


@dataclass(frozen=True)
class Made:
    """One document: headings with their paragraphs; the suffix of ``path`` says how it is written."""

    path: str
    title: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]


def documents(revision: int, more: int = 0) -> Iterator[Made]:
    """Go through all documents as they are in a revision, from 1; ``more`` adds as many products."""
    changed = 1 if revision < 2 else 2
    for path, (title, parts) in POLICIES.items():
        yield Made(
            path, title, tuple((heading, tuple(_said(text, changed) for text in texts)) for heading, texts in parts)
        )
    further = ({**PRODUCTS[number % len(PRODUCTS)], "name": f"NX-{1000 + number}"} for number in range(more))
    for product in (*PRODUCTS, *further):
        yield from _of_product(product)
    for told in (PERSONAL, INJECTIONS):
        for path, (title, *texts) in told.items():
            yield Made(path, title, (("", tuple(texts)),))


def questions(revision: int) -> list[dict[str, object]]:
    """Questions with the files that answer them and what the answer says; of those without an answer, no file."""
    changed = 1 if revision < 2 else 2
    known = [(question, list(files), _said(answer, changed)) for question, files, answer in QUESTIONS]
    unknown: list[tuple[str, list[str], str]] = [(question, [], "") for question in UNANSWERED]
    return [{"question": asked, "files": files, "answer": answer} for asked, files, answer in known + unknown]


def _said(text: str, revision: int) -> str:
    """Choose between what was said first and what is said now, written ``{first|now}``."""
    before, bar, rest = text.partition("{")
    if not bar:
        return text
    choice, _, after = rest.partition("}")
    return before + choice.split("|")[revision - 1] + _said(after, revision)


def facts_of(product: Mapping[str, str]) -> dict[str, str]:
    """Return the figures of a product, which are the same in every revision."""
    chance = random.Random(product["name"])  # noqa: S311 - a product is no secret
    return {
        "battery": f"{chance.randrange(6, 60)} months",
        "range": f"{chance.randrange(-40, -4)} to {chance.randrange(45, 90)} degrees Celsius",
        "weight": f"{chance.randrange(180, 2400)} grams",
        "accuracy": f"{chance.randrange(2, 30) / 10:g} percent",
        "warranty": f"{chance.randrange(2, 6)} years",
        "part": chance.choice(EVERY_PART),
        "tool": chance.choice(TOOLS),
        "weeks": str(chance.randrange(2, 30)),
        "fault": chance.choice(FAULTS),
        "fixed": chance.choice(FAULTS),
        "release": f"{chance.randrange(1, 4)}.{chance.randrange(1, 9)}",
    }


def _of_product(product: Mapping[str, str]) -> Iterator[Made]:
    name, facts = product["name"], facts_of(product)
    of, what, does = f"products/{name.lower()}", product["what"], product["does"]
    yield Made(f"{of}/datasheet.pdf", f"{name} data sheet", (
        ("Overview", (f"The {name} is a {what}. It {does}.",
                      f"It is used in {product['used']} and is sold with a warranty of {facts['warranty']}.")),
        ("Specifications", (f"The battery life of the {name} is {facts['battery']} at one reading a minute.",
                            f"It works from {facts['range']} and is accurate to {facts['accuracy']} of the reading.",
                            f"The {name} weighs {facts['weight']} without its bracket.")),
    ))  # fmt: skip
    yield Made(f"{of}/manual.docx", f"{name} manual", (
        ("Installation", (f"Mount the {name} with the bracket, upright and out of direct sunlight.",
                          f"A {what} measures wrongly close to motors: keep two metres away from them.")),
        ("Cleaning", (f"Clean the {facts['part']} of the {name} with {facts['tool']} every {facts['weeks']} weeks.",
                      "Switch the unit off before, and let it dry before it is switched on again.")),
        ("Calibration", (f"Calibrate the {name} once a year against a reference {what}.",)),
    ))  # fmt: skip
    yield Made(f"{of}/release-notes.md", f"{name} release notes", (
        (f"Release {facts['release']}", (f"It mends a fault of the {name} by which {facts['fixed']}.",
                                         "Install it from the service menu; settings are kept.")),
        ("Known faults", (f"It can happen that {facts['fault']}. A restart helps.",)),
    ))  # fmt: skip
    yield Made(f"{of}/training.pptx", f"{name} for sales", (
        (f"Who buys the {name}", (f"Customers in {product['used']} buy the {name} because it {does}.",)),
        ("What they ask", (f"Most ask whether the {name} can be read from a distance. It can, by LoRa radio.",)),
    ))  # fmt: skip
    yield Made(f"{of}/faq.html", f"Questions about the {name}", (
        (f"Is the {name} waterproof?", (f"The {name} stands rain and jets of water (IP66), but no diving.",)),
        ("Can I change the battery myself?", (f"Yes. The battery door of the {name} is opened with a coin.",)),
    ))  # fmt: skip
