"""Errors of the client library, and what answers in ONTAP's place, as errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ontap_mlops.ontap.errors import (
    CertificateRejected,
    InvalidRequest,
    NotReached,
    NotTls,
    OntapError,
    Unreachable,
    advice_of,
    refused,
    short,
)

if TYPE_CHECKING:
    from netapp_ontap.error import NetAppRestError

# Answers whose meaning is clear without ONTAP's own words, as a proxy gives them.
_SAYS_ENOUGH = (401, 429)


@contextmanager
def translated(asked: str, host: str) -> Iterator[None]:
    """Errors of the client library inside become ours; the cause stays attached.

    :param asked: what is being done, to which object: "create volume 'x' on SVM 'svm1'".
    """
    from netapp_ontap.error import NetAppRestError

    try:
        yield
    except NetAppRestError as error:
        raise _from_library(error, asked, host) from error
    except ValueError as error:  # not JSON
        raise _not_ontap(asked, host) from error


def _from_library(error: NetAppRestError, asked: str, host: str) -> OntapError:
    if error.status_code is None:
        return _without_answer(error, asked, host)
    body = error.response_body
    detail = body.get("error") if isinstance(body, dict) else None
    if not isinstance(detail, dict):
        if error.status_code not in _SAYS_ENOUGH and error.status_code < 500:
            return _not_ontap(asked, host, f" with HTTP {error.status_code}")
        detail = {}
    return refused(
        asked,
        code=detail.get("code"),
        message=detail.get("message"),
        target=detail.get("target"),
        status=error.status_code,
        host=host,
    )


def _without_answer(error: NetAppRestError, asked: str, host: str) -> OntapError:
    import requests

    cause = getattr(error, "cause", None)
    if isinstance(cause, requests.exceptions.InvalidJSONError):
        return _not_ontap(asked, host)
    if isinstance(cause, requests.exceptions.SSLError):
        kind, words = _of_tls(str(cause), host)
    elif isinstance(cause, requests.exceptions.ConnectTimeout):
        kind, words = NotReached, f"nothing at {host} took the connection in time"
    elif isinstance(cause, requests.exceptions.Timeout):
        kind, words = Unreachable, f"ONTAP at {host} did not answer in time"
    elif isinstance(cause, requests.exceptions.ConnectionError):
        kind, words = _of_connection(str(cause), host)
    else:
        kind, words = InvalidRequest, short(_wrong_fields(getattr(cause, "messages", None)) or str(error))
    return kind(f"Could not {asked}: {words}.{advice_of(kind)}")


def _of_tls(said: str, host: str) -> tuple[type[OntapError], str]:
    if "WRONG_VERSION_NUMBER" in said or "RECORD_LAYER_FAILURE" in said or "UNEXPECTED_EOF" in said:
        return NotTls, f"what listens at {host} does not speak HTTPS"
    return CertificateRejected, f"the certificate of ONTAP at {host} is not trusted"


def _of_connection(said: str, host: str) -> tuple[type[OntapError], str]:
    if "NameResolutionError" in said or "Failed to resolve" in said:
        return NotReached, f"the host name of {host} is not known here"
    if "Connection refused" in said:
        return NotReached, f"nothing listens at {host}"
    if "unreachable" in said or "No route to host" in said:
        return NotReached, f"there is no way to {host} from here"
    return Unreachable, f"the connection to ONTAP at {host} failed or broke off"


def _not_ontap(asked: str, host: str, status: str = "") -> InvalidRequest:
    return InvalidRequest(
        f"{host} was asked to {asked} and answered{status} in no form of ONTAP's REST API. "
        "Check that host and port are those of ONTAP's management interface."
    )


def _wrong_fields(messages: Any) -> str:
    """What the library's own check of a request says, such as ``{'name': ['"x" must be ...']}``, in words."""
    if not isinstance(messages, dict):
        return ""
    return "; ".join(f"{field}: {' '.join(map(str, said))}" for field, said in messages.items() if said)
