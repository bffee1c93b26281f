"""Errors of ONTAP as sentences, and whether trying again can help.

This is the one place that knows ONTAP's error codes. Above it only the names below exist:
``OntapTemporaryError`` may pass by itself, ``OntapPermanentError`` stays until somebody changes something.
"""

from __future__ import annotations

from typing import Any


class OntapError(Exception):
    """``code`` and ``target`` as ONTAP gave them, ``http_status`` of the answer; None where there was none."""

    advice = ""

    def __init__(
        self, message: str, *, code: str | None = None, target: str | None = None, http_status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.target = target
        self.http_status = http_status


class OntapTemporaryError(OntapError):
    """The same request may succeed later."""


class OntapPermanentError(OntapError):
    """The same request will be refused again until somebody changes something."""


class Unreachable(OntapTemporaryError):
    """No answer came, so whether ONTAP did the work is not known."""

    advice = "Check host, port and network; the next try looks for what this one may have made"


class NotReached(Unreachable):
    """No connection was made, so ONTAP was asked for nothing."""

    advice = "Check host, port and network"


class ServiceTrouble(OntapTemporaryError):
    """ONTAP answered that it cannot serve the request now (HTTP 429 or 5xx)."""

    advice = "Try again; if it stays, look at the cluster's event log"


class JobStillRunning(OntapTemporaryError):
    """This client stopped waiting; the job goes on in ONTAP."""


class Busy(OntapError):
    """Something else holds the object; the message names it where ONTAP tells."""


class InUse(Busy, OntapTemporaryError):
    """By a clone, an owner such as SnapMirror, or work under way: it may let go."""

    advice = "Remove or wait for what uses it"


class UnderWay(Busy, OntapTemporaryError):
    """ONTAP is at work on the object and asks to come back, such as while an SVM is locked from changes."""

    advice = "Try again in a few minutes"


class Conflict(OntapTemporaryError):
    """It contradicts how things stand, for a reason that has no class of its own (HTTP 409)."""

    advice = "See what else holds or changes it, then run it again"


class NotFound(OntapPermanentError):
    advice = "Check the name"


class NotPeered(OntapPermanentError):
    advice = "Peer the two clusters and SVMs for this use first"


class OtherEndAway(OntapTemporaryError):
    """ONTAP cannot reach the other cluster, or the volume there is offline."""

    advice = "Check the other cluster, its volume and the network between the two"


class NameTaken(OntapPermanentError):
    """The name belongs to something that is not ours to adopt."""

    advice = "Choose another name, or rename or remove what has it"


class NotOurs(OntapPermanentError):
    """The object does not carry our mark, so it is left alone."""


class Locked(Busy, OntapPermanentError):
    """A lock or retention rule forbids the change until its time is over."""

    advice = "Wait until the lock expires"


class NotEncrypted(OntapPermanentError):
    """A volume that must be encrypted is not."""


class LockingOff(OntapPermanentError):
    """The volume ignores locks on its snapshots."""

    advice = "Switch snapshot locking on (OntapSnapshotLockingEnableOperator); it cannot be taken back while locks live"


class LockNotTaken(OntapPermanentError):
    """ONTAP said yes to a lock, and the object is not locked."""

    advice = "Check that the volume allows locks (licence, compliance clock, snapshot locking)"


class ClockNotSet(OntapPermanentError):
    """No compliance clock, which is set once and only by who means to."""

    advice = "Set it by hand or with OntapComplianceClockInitializeOperator; ONTAP lets it be set once"


class SpaceFull(OntapPermanentError):
    advice = "Free space or ask for less, then run it again"


class SnapshotLimit(OntapPermanentError):
    advice = "Remove snapshots that no record needs (retention does so), then run it again"


class AuthenticationFailed(OntapPermanentError):
    advice = "Check user and password of the connection"


class NotAuthorized(OntapPermanentError):
    advice = "Give the account a role that allows it"


class NotApproved(OntapPermanentError):
    """The cluster lets this be done only when further administrators agree, and has asked them."""

    advice = (
        "Have them approve the request of that number (security multi-admin-verify request approve), then run it again"
    )


class CertificateRejected(OntapPermanentError):
    advice = "Set 'verify' of the connection to the file of the certificate authority that signed ONTAP's certificate"


class NotTls(OntapPermanentError):
    advice = "Check that the port is that of HTTPS; set the connection's schema to http for an emulator without"


class InvalidRequest(OntapPermanentError):
    advice = "Correct the value"


class WrongState(OntapPermanentError):
    """The object is in a state in which what is asked cannot be done."""


class NothingInCommon(OntapPermanentError):
    """Two volumes have no snapshot in common, so neither can follow the other without copying everything anew."""

    advice = "Mirror to a new volume"


class WouldLose(OntapPermanentError):
    """It would throw away data that is in no other place, and nobody has said that this is meant."""


class Stopped(OntapPermanentError):
    """Somebody has stopped the work on purpose."""


class JobFailed(OntapTemporaryError):
    """A job ended in failure for a reason that has no class of its own, such as a take-over in the middle of it."""

    advice = "The next try begins anew"


class UnknownState(OntapPermanentError):
    """ONTAP reports a state this client does not model; it is taken for failure, not for success."""


# Codes as documented per endpoint (volume, snapshot, S3 and the common ones of every endpoint).
_BY_CODE: dict[str, type[OntapError]] = {
    **dict.fromkeys(("1", "917526", "525059", "1638446", "8454154"), NameTaken),
    **dict.fromkeys(("92405790", "92405843", "92405942", "92405950", "6619637", "66846767"), NameTaken),
    **dict.fromkeys(("2621462", "524601", "1638600", "92405861", "92405859", "66846768"), NotFound),
    # A cache: its SVMs are no peers; its origin is away; what it is asked for cannot be had of that volume or path.
    **dict.fromkeys(("66846735",), NotPeered),
    **dict.fromkeys(("66846923", "4653061"), OtherEndAway),
    **dict.fromkeys(("66846730",), NotFound),
    **dict.fromkeys(("66846731", "66846844", "66846921", "66846925", "66846943", "66846945"), InvalidRequest),
    # An SVM locked while its configuration is recorded; a transfer, a change of state or a prepopulation that runs.
    **dict.fromkeys(("2621573", "13303812", "13303816", "13303822", "66846947", "918193", "918293"), UnderWay),
    **dict.fromkeys(("6", "262245"), NotAuthorized),
    "262325": NotApproved,
    **dict.fromkeys(("8", "524486", "524615", "1638543", "92405811"), InUse),
    **dict.fromkeys(("459758", "1638414"), InUse),
    # Of export policies: a volume or a qtree has it, or ONTAP cannot tell whether one has; there is none.
    **dict.fromkeys(("1703945", "1703946", "1703953"), InUse),
    "1703954": NotFound,
    "1703952": InvalidRequest,  # "no spaces are allowed" in a name, which is not "no space"
    # A node is being taken over, as its neighbours see it; a volume of this name is being made by another request.
    **dict.fromkeys(("393271", "524424", "2621556", "13107405"), UnderWay),
    # The SVM cannot be changed just now, or as many SVMs as can be are being made or removed: NetApp's own services
    # wait for the end of it.
    **dict.fromkeys(("13434889", "13434894"), UnderWay),
    # Of peers, in this order: in use; there already, or another of this name; no such cluster or SVM.
    **dict.fromkeys(("4653078", "26345572"), InUse),
    **dict.fromkeys(("4653060", "4653064", "26345478"), NameTaken),
    **dict.fromkeys(("4653077", "9895992"), NotFound),
    "26345576": NotPeered,
    # Of mirrors: a transfer runs; no such volume or policy; no common snapshot; states and ends that cannot be.
    "6619715": UnderWay,
    **dict.fromkeys(("917731", "13303819"), NotFound),
    "6619540": NothingInCommon,
    "13303818": WrongState,
    **dict.fromkeys(("6619546", "13303831", "13303841", "13303852", "13303866", "13303873"), InvalidRequest),
    **dict.fromkeys(("1638555", "6619594"), Locked),
    # Of qtrees and quotas.
    "5242951": NameTaken,
    "918235": NotFound,
    "5242962": InUse,
    # Of consistency groups.
    **dict.fromkeys(("53411842", "53411860", "53411921"), NotFound),
    **dict.fromkeys(("53411852", "53411927"), NameTaken),
    **dict.fromkeys(("53411865", "53411917"), InUse),
    # Of files: "no such file" and "file exists".
    "131074": NotFound,
    **dict.fromkeys(("131089", "13763062"), NameTaken),
    "13763141": ClockNotSet,
    **dict.fromkeys(("918703", "13763281", "13763282"), Locked),
    **dict.fromkeys(("917927", "917846", "524409", "460770"), SpaceFull),
    **dict.fromkeys(("525062", "1638447"), SnapshotLimit),
    "6691623": AuthenticationFailed,
}
# Codes of every endpoint, which a failing server uses for anything.
_GENERIC = ("1", "6", "8")
_BY_STATUS: dict[int, type[OntapError]] = {
    400: InvalidRequest,
    401: AuthenticationFailed,
    403: NotAuthorized,
    404: NotFound,
    405: InvalidRequest,
    409: Conflict,
    422: InvalidRequest,
    429: ServiceTrouble,
}
# Jobs often fail with a generic code and say the reason in words only.
_BY_WORDS: tuple[tuple[str, type[OntapError]], ...] = (
    ("enough space", SpaceFull),
    ("no space", SpaceFull),
    ("insufficient space", SpaceFull),
    ("lack of space", SpaceFull),
    ("not authorized", NotAuthorized),
    ("duplicate", NameTaken),
    ("already exists", NameTaken),
    ("maximum number of snapshot", SnapshotLimit),
    ("temporarily", UnderWay),
    ("try again later", UnderWay),
    ("try again in a few", UnderWay),
    ("operation is in progress", UnderWay),
    ("another transfer is in progress", UnderWay),
    ("no common snapshot", NothingInCommon),
    ("in use", InUse),
)


def kind_of(code: str | None, status: int | None, message: str, default: type[OntapError]) -> type[OntapError]:
    """The class for an answer: by code, else by the words of the message, else by HTTP status."""
    if code in _BY_CODE and not (code in _GENERIC and status is not None and status >= 500):
        return _BY_CODE[code]
    for words, kind in _BY_WORDS:
        if words in message.lower():
            return kind
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServiceTrouble if status is not None and status >= 500 else default


def refused(
    asked: str,
    *,
    code: Any = None,
    message: str | None = None,
    target: str | None = None,
    status: int | None = None,
    default: type[OntapError] = InvalidRequest,
    host: str = "",
) -> OntapError:
    """The error for an answer of ONTAP, ready to raise: what was asked, what came back, what to do."""
    code = None if code in (None, "") else str(code)  # drawn as a number in some answers, as text in others
    words = short(message) or "no reason given"
    kind = kind_of(code, status, words, default)
    facts = ", ".join([f"HTTP {status}"] * (status is not None) + [f"code {code}"] * (code is not None))
    where = f" ({facts})" if facts else ""
    who = f"ONTAP at {host}" if host and issubclass(kind, AuthenticationFailed) else "ONTAP"
    return kind(
        f"{who} refused to {asked}{where}: {words}.{advice_of(kind)}", code=code, target=target, http_status=status
    )


def advice_of(kind: type[OntapError]) -> str:
    return f" {kind.advice}." if kind.advice else ""


def short(message: str | None) -> str:
    return " ".join(str(message or "").split())[:400].rstrip(". ")
