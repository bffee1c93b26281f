"""Find in what people say their names, where they live, and numbers and addresses that lead to them.

    python -m tasks.retail.masking_check            # how much of it is found, on sentences made for that

A sentence tells what a word is: Boston in ``is it raining in Boston`` is what was asked, and in ``I live in Boston`` a
place of living. There is no list of names: a name that no sentence introduces and that is not written with capitals
after ``I am`` or a title is not found. What is found becomes one word that says what it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

NAME, PLACE, NUMBER, MAIL = "name", "place", "number", "mail"
KINDS = (NAME, PLACE, NUMBER, MAIL)
SIGNS = ".,;:!?\"'()"
MOST_WORDS_OF_A_NAME = 3
MOST_WORDS_OF_A_PLACE = 9
FEWEST_DIGITS = 7
"""Of a telephone, card or account number that nothing introduces."""
FEWEST_SPOKEN = 6


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NAMED = tuple(
    tuple(cue.split())
    for cue in (
        "my name is", "my name's", "the name is", "name's", "i am called", "i'm called", "call me", "under the name of",
        "under the name", "in the name of", "my first name is", "my last name is", "my surname is", "my full name is",
        "this reservation is for", "ask for", "signed by",
    )
)  # fmt: skip
LIVING = tuple(
    tuple(cue.split())
    for cue in (
        "i live in", "i live at", "i live on", "i live near", "i live by", "we live in", "we live at", "we live on",
        "i am living in", "i'm living in", "i reside in", "i reside at", "i stay at", "i am staying at",
        "i'm staying at", "my home is in", "my home is at", "my house is in", "my house is at", "my house is on",
        "my apartment is in", "my apartment is at", "my flat is in", "my address is", "my home address is",
        "my postal address is", "the address is", "our address is", "our home is in",
        "our house is in", "our house is on", "deliver it to", "deliver them to", "deliver to", "ship it to",
        "ship them to", "ship to", "send it to", "send them to", "bring it to", "i am from", "i'm from", "i come from",
        "my home town is", "my hometown is", "my zip code is", "my zip is", "my postal code is", "my postcode is",
    )
)  # fmt: skip
COUNTED = tuple(
    tuple(cue.split())
    for cue in (
        "my number is", "my phone number is", "my telephone number is", "my mobile number is", "my cell is",
        "my mobile is", "my phone is", "my card number is", "my card is", "my credit card is",
        "my credit card number is", "my account number is", "my account is", "my customer number is",
        "my member number is", "my order number is", "my pin is", "my passport number is", "my passport is",
        "my social security number is", "my social is", "call me at", "call me on", "text me at", "text me on",
        "reach me at", "reach me on",
    )
)  # fmt: skip
PRESENTED = (("i", "am"), ("i'm",))
TITLES = _words("mr mrs ms miss mister doctor dr professor prof madam herr frau")
KIN = _words(
    "mother mom father dad wife husband son daughter brother sister friend boss neighbor neighbour colleague "
    "partner aunt uncle grandmother grandfather boyfriend girlfriend roommate"
)
END_OF_NAME = _words(
    "and or but i i'm from at in on to for with where what when which who how why can could do does is are was will "
    "would please need want looking the a an my your it he she they we you that this of not no so because if "
    "calling speaking here there by about asking thanks thank tell show find get give now today tomorrow near again "
    "sent told said says asks asked wants wanted needs has had works speaks"
)
"""Words that are no name, and with which one is over."""
ORDINARY = _words(
    "hungry thirsty lost sorry fine sure new back ready late done interested afraid vegetarian vegan tired happy sad "
    "sick cold hot bored busy free glad curious confused ok okay good great well alone home out outside allergic "
    "pregnant old young short tall just still also really very quite too only already always never trying going"
)
"""What people say that they are, beside a name."""
END_OF_PLACE = _words(
    "and or but i i'm where what when which who how why can could do does is are was will would please need want so "
    "because if thanks thank tell show find get give my you that by then now today tomorrow tonight"
)
STREETS = _words(
    "street st avenue ave road rd lane ln drive dr boulevard blvd court ct square sq way terrace parkway pkwy "
    "highway hwy alley circle strasse straße weg platz allee"
)
DIGITS = _words("zero oh one two three four five six seven eight nine double triple")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_NUMERIC = re.compile(r"[+(]*\d[\d()./+-]*")
_DATE = re.compile(r"(19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](19|20)\d\d")
_ENDING = re.compile(r"[.,;!?]+$")


@dataclass(frozen=True)
class Found:
    """Words ``begin`` to before ``end`` tell who somebody is, or how to reach them; ``kind`` is one of KINDS."""

    kind: str
    begin: int
    end: int


def find(words: Sequence[str]) -> list[Found]:
    """Return what is personal in a sentence, in order; nothing of it overlaps."""
    sentence = _Sentence(words)
    found: list[Found] = []
    taken = [False] * len(words)
    # What is surer comes first, and keeps its words.
    for look in (_mails, _counted, _numbers, _streets, _living, _names):
        for each in look(sentence):
            if each.end > each.begin and not any(taken[each.begin : each.end]):
                taken[each.begin : each.end] = [True] * (each.end - each.begin)
                found.append(each)
    return sorted(found, key=lambda each: each.begin)


def mask(words: Sequence[str], found: Sequence[Found]) -> tuple[list[str], list[int]]:
    """Return the words with one in place of each thing found, and for each where it stood; -1 for a mask."""
    masked: list[str] = []
    places: list[int] = []
    place = 0
    for each in [*found, Found("", len(words), len(words))]:
        masked += words[place : each.begin]
        places += range(place, each.begin)
        if each.kind:
            masked.append(f"<{each.kind}>")
            places.append(-1)
        place = each.end
    return masked, places


class _Sentence:
    """Words as they stand, and ``plain``: in small letters without signs around them."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.plain = [word.lower().replace("\u2019", "'").strip(SIGNS) for word in words]
        # Whoever writes all in capitals, or a machine, says nothing by them.
        letters = [word for word in words if word[:1].isalpha()]
        self.capitals = not all(word[:1].isupper() for word in letters[1:]) if len(letters) > 2 else True

    def after(self, cues: Sequence[tuple[str, ...]]) -> list[int]:
        """Where each of these cues is over; of two that begin at one word the longer."""
        ends: dict[int, int] = {}
        for cue in cues:
            for begin in range(len(self.plain) - len(cue) + 1):
                if tuple(self.plain[begin : begin + len(cue)]) == cue:
                    ends[begin] = max(ends.get(begin, 0), begin + len(cue))
        return sorted(set(ends.values()))

    def named(self, place: int) -> bool:
        """Whether a capital says that this word is a name."""
        return self.capitals and 0 <= place < len(self.words) and self.words[place].strip(SIGNS)[:1].isupper()

    def until(self, begin: int, over: frozenset[str], most: int) -> int:
        """Where what begins here is over: at a word of ``over``, after a sign, or after ``most`` words."""
        end = begin
        while end < len(self.plain) and end - begin < most and self.plain[end] and self.plain[end] not in over:
            end += 1
            if _ENDING.search(self.words[end - 1]) and not self.words[end - 1].endswith(","):
                break
        return end


def _mails(of: _Sentence) -> list[Found]:
    found = [Found(MAIL, n, n + 1) for n, word in enumerate(of.words) if _MAIL.search(word)]
    for at, word in enumerate(of.plain):  # as people say them: john dot smith at example dot com
        if word == "at" and at > 0 and "dot" in of.plain[at + 1 : at + 4]:
            end = at + of.plain[at + 1 : at + 4].index("dot") + 3
            while of.plain[end : end + 1] == ["dot"]:
                end += 2
            begin = at - 1
            while begin > 1 and of.plain[begin - 1] in ("dot", "underscore", "dash"):
                begin -= 2
            found.append(Found(MAIL, begin, min(end, len(of.words))))
    return found


def _counted(of: _Sentence) -> list[Found]:
    """What is introduced as a number of theirs, however short."""
    found = []
    for begin in of.after(COUNTED):
        end = begin
        while end < len(of.plain) and (any(map(str.isdigit, of.plain[end])) or of.plain[end] in DIGITS):
            end += 1
        found.append(Found(NUMBER, begin, end))
    return found


def _numbers(of: _Sentence) -> list[Found]:
    found = []
    for is_part, fewest in ((_is_numeric, FEWEST_DIGITS), (DIGITS.__contains__, FEWEST_SPOKEN)):
        begin = 0
        while begin < len(of.plain):
            end = begin
            while end < len(of.plain) and is_part(of.plain[end]):
                end += 1
            told = of.plain[begin:end]
            count = sum(map(str.isdigit, "".join(told))) if is_part is _is_numeric else len(told)
            if count >= fewest:
                found.append(Found(NUMBER, begin, end))
            begin = max(end, begin + 1)
    return found


def _is_numeric(word: str) -> bool:
    return bool(_NUMERIC.fullmatch(word)) and not _DATE.fullmatch(word)


def _streets(of: _Sentence) -> list[Found]:
    """A number, up to three words and the word for a street, with what follows of a flat, a town and its code."""
    found = []
    for begin, word in enumerate(of.plain):
        if not re.fullmatch(r"\d{1,5}[a-z]?", word):
            continue
        for last in range(begin + 2, min(begin + 5, len(of.plain))):
            if of.plain[last] in STREETS:
                found.append(Found(PLACE, begin, _rest_of_address(of, last + 1)))
                break
    return found


def _rest_of_address(of: _Sentence, end: int) -> int:
    if of.plain[end : end + 1] and of.plain[end] in ("apartment", "apt", "unit", "suite", "floor"):
        end += 2
    goes_on = of.words[end - 1].endswith(",") if end <= len(of.words) else False
    if of.plain[end : end + 1] == ["in"]:
        end, goes_on = end + 1, True
    if goes_on:
        end = of.until(end, END_OF_PLACE, 4)
    return min(end, len(of.words))


def _living(of: _Sentence) -> list[Found]:
    return [Found(PLACE, begin, of.until(begin, END_OF_PLACE, MOST_WORDS_OF_A_PLACE)) for begin in of.after(LIVING)]


def _names(of: _Sentence) -> list[Found]:
    found = [Found(NAME, begin, of.until(begin, END_OF_NAME, MOST_WORDS_OF_A_NAME)) for begin in of.after(NAMED)]
    for place, word in enumerate(of.plain):
        if word in TITLES:
            found.append(Found(NAME, place + 1, max(_capitals(of, place + 1), of.until(place + 1, END_OF_NAME, 1))))
        elif word in KIN and of.plain[place - 1 : place] == ["my"] and of.named(place + 1):
            found.append(Found(NAME, place + 1, _capitals(of, place + 1)))
        elif word in ("speaking", "calling") and of.plain[place - 1 : place] != ["i'm"]:
            begin = next((n + 1 for n in range(place - 1, -1, -1) if of.plain[n] in ("is", "i'm", "am")), place)
            if place - begin <= MOST_WORDS_OF_A_NAME:
                found.append(Found(NAME, begin, of.until(begin, END_OF_NAME, place - begin)))
    for begin in of.after(PRESENTED):
        if of.named(begin) and of.plain[begin] not in END_OF_NAME:
            found.append(Found(NAME, begin, _capitals(of, begin)))
        elif not any(of.named(place) for place in range(1, len(of.words))):
            found.append(Found(NAME, begin, _small(of, begin)))
    return found


def _small(of: _Sentence, begin: int) -> int:
    """Where a name ends that nothing but its place in the sentence tells, as of one written in small letters."""
    end = of.until(begin, END_OF_NAME, MOST_WORDS_OF_A_NAME)
    told = of.plain[begin:end]
    is_name = all(word.isalpha() and word not in ORDINARY and not word.endswith(("ing", "ed", "ly")) for word in told)
    return end if is_name and len(told) < MOST_WORDS_OF_A_NAME else begin


def _capitals(of: _Sentence, begin: int) -> int:
    end = begin
    while end - begin < MOST_WORDS_OF_A_NAME and of.named(end) and of.plain[end] not in END_OF_NAME:
        end += 1
        if _ENDING.search(of.words[end - 1]):
            break
    return end
