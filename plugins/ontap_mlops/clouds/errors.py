"""Errors of the services beside ONTAP as sentences, and whether trying again can help."""

from __future__ import annotations

from typing import NoReturn


class CloudError(Exception):
    """A service beside ONTAP did not do what was asked; the message says what, of which object, and what to do."""


class CloudTemporaryError(CloudError):
    """The same request may succeed later."""


class CloudPermanentError(CloudError):
    """The same request will be refused again until somebody changes something."""


class Unreachable(CloudTemporaryError):
    """No answer came, so whether the service did the work is not known; the next try looks for it."""


class TooBusy(CloudTemporaryError):
    """It answered that it cannot serve the request now (HTTP 429 or 5xx)."""


class InUse(CloudTemporaryError):
    """Work of somebody else on the object is under way: it may end by itself."""


class OperationFailed(CloudTemporaryError):
    """Work that the service had accepted ended badly, for a reason that another try may mend."""


class LoginRefused(CloudPermanentError):
    """The credentials of the connection are not accepted, or have expired and cannot be renewed."""


class NotAllowed(CloudPermanentError):
    """The account may not do this."""


class NotFound(CloudPermanentError):
    """There is no such object."""


class NameTaken(CloudPermanentError):
    """The name belongs to something that is not ours to adopt, or that is not what was asked for."""


class NotOurs(CloudPermanentError):
    """The object does not carry our mark, so it is left alone."""


class OverQuota(CloudPermanentError):
    """A quota, a limit or the capacity of a pool is too small for it."""


class InvalidRequest(CloudPermanentError):
    """The request contradicts itself, the service's rules, or how things stand."""


class BadState(CloudPermanentError):
    """The object is in a state from which it does not come back by itself."""


_BY_STATUS: dict[int, type[CloudError]] = {
    401: LoginRefused,
    403: NotAllowed,
    404: NotFound,
    408: TooBusy,
    409: InUse,
    425: TooBusy,
    429: TooBusy,
}
ADVICE: dict[type[CloudError], str] = {
    LoginRefused: "Renew the credentials of the connection.",
    NotAllowed: "Give the account of the connection a role that allows it.",
    NotFound: "Check the name, and account and region or location of the connection.",
    TooBusy: "Try again later.",
    InUse: "Wait for what works on it, or see what does.",
    OverQuota: "Ask for less, make the pool larger or have the quota raised.",
    InvalidRequest: "Correct the value.",
}


def kind_of(status: int) -> type[CloudError]:
    """The class for an answer whose own code says no more than its HTTP status."""
    if status >= 500:
        return TooBusy
    return _BY_STATUS.get(status, InvalidRequest)


def refused(service: str, asked: str, said: str, kind: type[CloudError]) -> CloudError:
    """The error for an answer: what was asked, what came back, what to do."""
    advice = ADVICE.get(kind, "")
    return kind(f"{service} was asked to {asked} and answered: {short(said)}.{' ' + advice if advice else ''}")


def no_answer(service: str, asked: str, error: BaseException) -> NoReturn:
    """Raise Unreachable for an error of the network."""
    raise Unreachable(
        f"{service} was asked to {asked} and gave no answer ({short(cause(error))}). Check the connection's address "
        "and the network; the next try looks for what this one may have made."
    ) from error


def cause(error: BaseException) -> str:
    """The innermost reason of an error, in its own words."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error) or type(error).__name__


def short(text: object) -> str:
    return " ".join(str(text or "no reason given").split())[:400].rstrip(". ")
