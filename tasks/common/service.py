"""A service of ours over HTTP, as a connection of Airflow's names it in a program's environment.

``CALLS_URL`` is its address, ``CALLS_TOKEN`` its token, ``CALLS_CONNECTION`` the id of the connection for a sentence,
``CALLS_CA_BUNDLE`` a certificate authority: for the name ``CALLS``.
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tasks.common.program import BadInput, TryAgain

TIMEOUT_S = 60


class Missing(Exception):
    """The service knows no such thing (404)."""


@dataclass(frozen=True)
class Service:
    """``what`` it is, its address and token, and what Airflow calls the connection to it."""

    what: str
    url: str
    token: str = field(repr=False)
    connection: str = ""
    authority: str | None = None

    @classmethod
    def of_environment(cls, name: str, what: str) -> Service:
        """Read what begins with ``name``. Raises BadInput where no address is given."""
        url = os.environ.get(f"{name}_URL", "").rstrip("/")
        if not url:
            raise BadInput(f"{name}_URL is not set; it is the address of {what}.")
        connection = os.environ.get(f"{name}_CONNECTION", "")
        return cls(what, url, os.environ.get(f"{name}_TOKEN", ""), connection, os.environ.get(f"{name}_CA_BUNDLE"))

    def ask(self, path: str, sent: Any = None, method: str | None = None) -> bytes:
        """Return what the service answers.

        Raises Missing for what it does not know, TryAgain where it gives no answer, BadInput where it refuses.
        """
        body = None if sent is None else json.dumps(sent).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", body, headers, method=method)  # noqa: S310
        context = ssl.create_default_context(cafile=self.authority) if self.authority else None
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            if error.code == 404:
                raise Missing(said) from error
            if error.code == 401:
                raise BadInput(f"{self} does not take the token; give the service's own as the password.") from error
            kind = TryAgain if error.code >= 500 or error.code == 429 else BadInput
            raise kind(f"{self} answers {error.code} to {method or 'GET'} {path}: {said}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise TryAgain(f"{self} does not answer: {reason}. Is it running, and is the address right?") from error

    def __str__(self) -> str:
        connection = f" (connection {self.connection})" if self.connection else ""
        return f"{self.what[:1].upper()}{self.what[1:]} at {self.url}{connection}"
