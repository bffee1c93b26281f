"""Calls to Copy and Sync with a token that is renewed as often as a long wait needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ontap_mlops.clouds import errors

SERVICE = "Copy and Sync"
API_URL = "https://api.cloudsync.netapp.com"
TOKEN_URL = "https://netapp-cloud-account.auth0.com/oauth/token"
AUDIENCE = "https://api.cloud.netapp.com"
PUBLIC_CLIENT_ID = "Mu0V1ywgYteI6w1MbD15fKfVIUrNXGWC"
"""NetApp's own client for refresh tokens, as its published tools use it."""

_EARLY_S = 60.0  # a token is renewed before it expires on the way


@dataclass(frozen=True, kw_only=True)
class Login:
    """Either a ``refresh_token``, or ``client_id`` and ``client_secret`` of a service account."""

    refresh_token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    token_url: str = TOKEN_URL

    def request(self) -> dict[str, str]:
        if self.refresh_token:
            client = self.client_id or PUBLIC_CLIENT_ID
            return {"grant_type": "refresh_token", "refresh_token": self.refresh_token, "client_id": client}
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "audience": AUDIENCE,
        }


_LOCK = threading.Lock()
_TOKENS: dict[Login, tuple[str, float]] = {}
"""Token and the time until which it is good, kept for all clients of a process: each look of a wait makes its own."""


class Client:
    """``account_id`` is asked of the service when not given and the login has only one account."""

    def __init__(
        self,
        login: Login,
        *,
        url: str = API_URL,
        account_id: str = "",
        verify: bool | str = True,
        timeout_s: float = 60.0,
    ) -> None:
        import requests

        self.url = url
        self.login = login
        self.timeout_s = timeout_s
        self._account_id = account_id
        self._session = requests.Session()
        self._session.verify = verify

    def close(self) -> None:
        self._session.close()

    @property
    def account_id(self) -> str:
        """Raises InvalidRequest where the login has none, or several of which the connection names none."""
        if not self._account_id:
            accounts = self.call("GET", "/api/accounts", asked="list the accounts", account=False)
            if len(accounts) != 1:
                named = ", ".join(sorted(f"{a.get('accountId')} ({a.get('name')})" for a in accounts)) or "none"
                raise errors.InvalidRequest(
                    f"The login at {SERVICE} has these accounts: {named}. Name the one to use in the connection."
                )
            self._account_id = str(accounts[0]["accountId"])
        return self._account_id

    def call(self, method: str, path: str, *, asked: str, account: bool = True, body: Any = None) -> Any:
        """The answer's JSON, {} for an empty one. A token that is refused is renewed once, whatever its time says.

        Raises the errors of ``clouds.errors``; ``asked`` completes "... was asked to".
        """
        headers = {"x-account-id": self.account_id} if account else {}
        used = self._bearer(asked)
        answer = self._send(method, self.url + path, asked, json=body, headers=_bearing(used, headers))
        if answer.status_code == 401:
            answer = self._send(
                method, self.url + path, asked, json=body, headers=_bearing(self._bearer(asked, not_=used), headers)
            )
        if answer.status_code >= 400:
            raise errors.refused(SERVICE, asked, f"HTTP {answer.status_code}, {_words(answer)}", _kind(answer))
        return _json(answer, asked)

    def _bearer(self, asked: str, not_: str = "") -> str:
        """A token with time left, other than ``not_``, which the service no longer takes."""
        with _LOCK:
            token, until = _TOKENS.get(self.login, ("", 0.0))
            if token in ("", not_) or time.monotonic() > until - _EARLY_S:
                token, until = _TOKENS[self.login] = self._renewed(asked)
            return token

    def _renewed(self, asked: str) -> tuple[str, float]:
        what = f"give a token with which to {asked}"
        answer = self._send("POST", self.login.token_url, what, json=self.login.request())
        body = _json(answer, what) if answer.status_code < 400 else {}
        if answer.status_code == 429 or answer.status_code >= 500:
            raise errors.refused("NetApp's login service", what, f"HTTP {answer.status_code}", errors.TooBusy)
        if not body.get("access_token"):
            said = f"HTTP {answer.status_code}, {_words(answer)}"
            raise errors.refused("NetApp's login service", what, said, errors.LoginRefused)
        return str(body["access_token"]), time.monotonic() + float(body.get("expires_in") or 3600)

    def _send(self, method: str, url: str, asked: str, **content: Any) -> Any:
        try:
            return self._session.request(method, url, timeout=self.timeout_s, **content)
        except OSError as error:  # requests' own errors are of this kind
            errors.no_answer(f"{SERVICE} at {self.url}", asked, error)


def _bearing(token: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "application/json", **headers}


def _kind(answer: Any) -> type[errors.CloudError]:
    return errors.kind_of(answer.status_code)


def _words(answer: Any) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:200] or "no reason given"
    if isinstance(body, dict):
        return str(body.get("message") or body.get("error_description") or body.get("error") or body)
    return str(body)


def _json(answer: Any, asked: str) -> Any:
    if not answer.content:
        return {}
    try:
        return answer.json()
    except ValueError:
        raise errors.Unreachable(
            f"{SERVICE} was asked to {asked}, and what came back is not its own answer: "
            f"{errors.short(answer.text[:200])}. Is there a proxy at this address?"
        ) from None
