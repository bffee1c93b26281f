"""The account with the least rights, as the cluster's administrator makes it from the generated script."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import httpx

SCRIPT = Path(__file__).parents[1] / "docs" / "reference" / "ontap-role.txt"
NAME = "mlops"


def make(api: httpx.Client, svm: str, password: str) -> None:
    """Do what each command of the script says through the REST interface that ONTAP has for it.

    :param api: speaks to the cluster as its administrator.
    """
    for line in SCRIPT.read_text().splitlines():
        words = shlex.split(line, comments=True)
        first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
        verb, options = " ".join(words[:first]), dict(zip(words[first::2], words[first + 1 :: 2], strict=True))
        owner = {"owner": {"name": svm}} if "-vserver" in options else {}
        if verb == "security login rest-role create":
            _add_right(api, owner, options)
        elif verb == "security login create":
            methods = [options["-authentication-method"]]
            application = {"application": options["-application"], "authentication_methods": methods}
            body = {"name": options["-user-or-group-name"], "role": {"name": options["-role"]}, "password": password}
            _ask(api, "/api/security/accounts", {**body, **owner, "applications": [application]})
            login = api.get("/api/svm/svms", auth=(options["-user-or-group-name"], password))
            assert login.status_code != 401, f"{options['-user-or-group-name']} is there with another password"
        else:
            assert not words, f"{SCRIPT.name} has a command that is not known here: {line}"


def _add_right(api: httpx.Client, owner: dict[str, dict[str, str]], options: dict[str, str]) -> None:
    name, row = options["-role"], {"path": options["-api"], "access": options["-access"]}
    of = {"owner.name": owner["owner"]["name"]} if owner else {"scope": "cluster"}
    there = api.get("/api/security/roles", params={"name": name, **of}).raise_for_status().json()["records"]
    if there:
        _ask(api, f"{there[0]['_links']['self']['href']}/privileges", row)
    else:
        _ask(api, "/api/security/roles", {"name": name, **owner, "privileges": [row]})


def _ask(api: httpx.Client, path: str, body: Mapping[str, object]) -> None:
    """What is there already, in a folder that was kept, stays."""
    answer = api.post(path, json=body)
    assert answer.status_code in (201, 409), f"POST {path} {body}: {answer.text}"
