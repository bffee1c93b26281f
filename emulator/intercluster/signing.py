"""Who a request between clusters comes from: signed with the secret that both have of their passphrase."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping

CLUSTER, MOMENT, NONCE, SIGNATURE = "X-Cluster", "X-Moment", "X-Nonce", "X-Signature"
TOLERANCE_S = 300
_ROUNDS = 20_000


def key_of(passphrase: str) -> str:
    """What is kept of a passphrase, on both sides alike."""
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), b"emulated intercluster peering", _ROUNDS).hex()


def secret_of(key: str, *clusters: str) -> str:
    """The secret of one peering (uuids of the two clusters, in any order)."""
    return hmac.new(bytes.fromhex(key), "|".join(sorted(clusters)).encode(), "sha256").hexdigest()


def signed(secret: str, cluster: str, name: str, body: bytes) -> dict[str, str]:
    """Headers that prove that a request is from ``cluster`` (uuid)."""
    moment, nonce = str(int(time.time())), secrets.token_hex(8)
    headers = {CLUSTER: cluster, MOMENT: moment, NONCE: nonce}
    return headers | {SIGNATURE: _signature(secret, headers, name, body)}


def agrees(secret: str, headers: Mapping[str, str], name: str, body: bytes) -> bool:
    said, moment = headers.get(SIGNATURE) or "", headers.get(MOMENT) or ""
    if not moment.isdecimal() or abs(time.time() - int(moment)) > TOLERANCE_S:
        return False
    return hmac.compare_digest(said.encode(), _signature(secret, headers, name, body).encode())


def _signature(secret: str, headers: Mapping[str, str], name: str, body: bytes) -> str:
    known = [headers.get(each) or "" for each in (CLUSTER, MOMENT, NONCE)]
    text = "\n".join([*known, name, hashlib.sha256(body).hexdigest()])
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
