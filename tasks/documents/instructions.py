"""Sentences in documents that tell an assistant what to do. They are quoted to nobody and obeyed by nothing.

This is the outer fence only: no document's text ever becomes part of what an assistant is told to do, whether it is
known here or not.
"""

from __future__ import annotations

import re
import unicodedata

_ORDERS = r"instructions?|prompts?|rules?|directions?|guidelines?|guardrails?|polic(?:y|ies)"
_PATTERNS = (
    rf"\b(?:ignore|disregard|forget|override|bypass|skip|neglect)\b.{{0,60}}\b(?:{_ORDERS}|everything (?:above|before)|"
    r"(?:said|told|written) (?:above|before))\b",
    r"\b(?:system|developer|hidden) (?:prompt|message)\b|\byour (?:\w+ )?(?:prompt|guardrails)\b",
    r"\byou are (?:now|no longer)\b",
    r"\b(?:act|behave|respond|answer|reply|pretend|speak) (?:as|like) (?:if you|though you|an? |the )",
    r"\bas an? (?:ai|language model|assistant|chat ?bot|llm)\b",
    r"\b(?:dear|hey|attention|note to|message to|to any|to all) (?:the )?(?:ai|assistants?|chat ?bots?|llms?)\b",
    r"^\s*(?:<\|?)?(?:system|assistant|user|human|developer|im_start)(?:\|?>)?\s*[:>]",
    r"\[/?inst\]|<\|im_(?:start|end)\|>|</?(?:system|assistant)>",
    r"\b(?:reveal|print|repeat|show|output|leak|send|list)\b.{0,40}\b(?:system prompt|passwords?|api keys?|tokens?|"
    r"secrets?|all (?:other )?(?:documents|passages|files)|conversation|chat history)\b",
    r"\b(?:do not|don't|never) (?:mention|tell|reveal|cite|quote|answer)\b.{0,50}\b(?:users?|sources?|this document)\b",
    r"\b(?:when|whenever|if) (?:you are |(?:some|any)(?:one|body) |(?:a |any |the )?users? )?ask(?:s|ed)?\b.{0,80}"
    r"\b(?:say|answer|reply|respond|claim|tell)\b",
    r"\b(?:jailbreak|developer mode|dan mode|do anything now)\b",
    r"!\[[^\]]*\]\(https?://|\b(?:visit|open|click|fetch|go to)\b.{0,30}https?://\S+[?&]\w+=",
)
_KNOWN = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE | re.DOTALL)
# Letters that nobody sees, put between others to hide a word.
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")


def instructs(text: str) -> bool:
    """Say whether a sentence seems to tell an assistant what to do."""
    seen = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return bool(_KNOWN.search(" ".join(seen.split())))
