"""The findings that NIH's data set names, in its own words; what a network answers is in this order."""

from __future__ import annotations

FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
NONE = "No Finding"
SEPARATOR = "|"


def read(text: str) -> frozenset[str]:
    """Findings of a label such as ``Effusion|Mass``; none for ``No Finding``.

    Raises ValueError, whose text goes on after the place, for a word that is not in the list and for ``No Finding``
    beside another.
    """
    words = [word.strip() for word in text.split(SEPARATOR)]
    unknown = [word for word in words if word not in FINDINGS and word != NONE]
    if unknown:
        known = ", ".join((*FINDINGS, NONE))
        raise ValueError(f"names the finding {unknown[0]!r}, which is none of {known}: correct the word")
    if NONE in words and len(words) > 1:
        raise ValueError(f"says {NONE!r} beside a finding ({text!r}): keep one of the two")
    return frozenset(word for word in words if word != NONE)
