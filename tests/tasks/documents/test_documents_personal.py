"""What is personal or sensitive is found and masked, of all eight kinds, and what only looks like it is not."""

from __future__ import annotations

import socket

import pytest

from tasks.common.program import BadInput
from tasks.documents import personal, policy
from tasks.documents.personal import Finding, find, mask
from tasks.documents.policy import KEEP_OUT, KINDS, LIST, MASK, REFUSE, Policy


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the scan reached for a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def masked(text: str) -> str:
    return mask(text, find(text))


@pytest.mark.parametrize(
    ("text", "kind", "gone"),
    [
        ("The file of Martha Lindgren is here.", "personal", "Lindgren"),
        ("Her social security number is 536-22-8712.", "personal", "536-22"),
        ("He was born on 14 March 1979.", "personal", "1979"),
        ("It is paid to DE89 3704 0044 0532 0130 00.", "financial", "3704"),
        ("The card 4111 1111 1111 1111 pays.", "financial", "4111"),
        ("The base salary of the clerk is EUR 64,300 a year.", "financial", "64,300"),
        ("The clerk was diagnosed with a slipped disc.", "health", "disc"),
        ("The blood type is AB negative.", "health", "AB"),
        ("It opens for fingerprint template FP-88213-A only.", "biometric", "88213"),
        ("The private home address is 48 Harbour Lane, Springfield 62704.", "location", "Harbour"),
        ("It stands at 39.78172, -89.65015.", "location", "39.78"),
        ("Write to anna.kowalska@aquaplant-example.com.", "communication", "anna"),
        ("Call +44 20 7946 0958 today.", "communication", "7946"),
        ("The address 203.0.113.77 came twice.", "online", "203.0"),
        ("It had cookie id c9f2-11ab-77de-4410.", "online", "c9f2"),
        ("The driver was convicted of theft of copper cable.", "legal", "theft"),
        ("The matter is 2:21-cv-01234.", "legal", "01234"),
    ],
)
def test_each_kind_is_found_and_masked(text: str, kind: str, gone: str):
    assert kind in {finding.kind for finding in find(text)}
    assert gone not in masked(text) and f"[{kind} data]" in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "The battery life of the NX-310 is 31 months at one reading a minute.",
        "It works from -20 to 55 degrees Celsius and is accurate to 1.2 percent.",
        "An order above EUR 5,000 is signed by the head of the department and by the controller.",
        "Install version 10.4.2 from the service menu; the fault was diagnosed in 2025.",
        "Our works stand in 12 Harbour Road, near the station.",
        "The case number of a support request has six digits.",
        "Write to office@localhost or user@machine.",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text: str):
    assert masked(text) == text


def test_what_is_of_two_kinds_counts_as_both_and_is_masked_by_either():
    text = "The base salary of Martha Lindgren is EUR 64,300 a year."
    found = find(text)
    assert {finding.kind for finding in found} == {"personal", "financial"}
    assert "Lindgren" not in mask(text, found, {"personal"}) and "64,300" in mask(text, found, {"personal"})
    assert mask(text, found) == "The [financial data] a year."


def test_a_long_text_is_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(personal, "LONGEST", 60)
    text = "Nothing is said here at all.\n" * 4 + "Write to anna.kowalska@aquaplant-example.com.\n" + "x" * 200
    (found,) = find(text)
    assert text[found.begin : found.end] == "anna.kowalska@aquaplant-example.com"


def test_masks_leave_everything_else():
    text = "a b c d"
    assert mask(text, [Finding("health", "X", 2, 3), Finding("legal", "Y", 6, 7)]) == "a [health data] c [legal data]"
    assert mask(text, [Finding("health", "X", 2, 3)], {"legal"}) == text


def test_the_strictest_action_of_what_was_found_counts():
    chosen = Policy.of("open", {"health": REFUSE, "legal": KEEP_OUT, "online": MASK})
    assert chosen.strictest({"health", "legal"}) == REFUSE
    assert chosen.strictest({"online", "legal"}) == KEEP_OUT
    assert chosen.strictest({"online", "personal"}) == MASK
    assert chosen.strictest(set()) == LIST
    assert Policy.of("strict", {}).of_kinds(KEEP_OUT) == set(KINDS)
    assert Policy.of("mask", {}).digest != Policy.of("mask", {"health": LIST}).digest


@pytest.mark.parametrize(
    ("name", "but", "reason"),
    [
        ("lax", "", "no policy 'lax'"),
        ("mask", "wealth=mask", "no kind 'wealth'"),
        ("mask", "health=burn", "not 'burn'"),
        ("mask", "health", "not of the form kind=action"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(name: str, but: str, reason: str):
    with pytest.raises(BadInput, match=reason):
        Policy.of(name, policy.parse(but))
