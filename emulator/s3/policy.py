"""May this user do this to that resource? ONTAP's statements: a denial wins, and what nothing allows is denied."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Statement = Mapping[str, Any]

_NUMBER = re.compile(r"[0-9]{1,19}")

# What a bucket statement without actions grants (netapp-ontap, "Default property values" of S3Bucket).
DEFAULT_ACTIONS = (
    "GetObject",
    "PutObject",
    "DeleteObject",
    "ListBucket",
    "ListBucketMultipartUploads",
    "ListMultipartUploadParts",
    "GetObjectTagging",
    "PutObjectTagging",
    "DeleteObjectTagging",
    "GetBucketVersioning",
    "PutBucketVersioning",
)

ACTIONS = frozenset(DEFAULT_ACTIONS) | {
    "AbortMultipartUpload",
    "BypassGovernanceRetention",
    "CreateBucket",
    "DeleteBucket",
    "DeleteBucketPolicy",
    "DeleteObjectVersion",
    "DeleteObjectVersionTagging",
    "GetBucketAcl",
    "GetBucketCORS",
    "GetBucketLocation",
    "GetBucketObjectLockConfiguration",
    "GetBucketPolicy",
    "GetLifecycleConfiguration",
    "GetObjectAcl",
    "GetObjectRetention",
    "GetObjectVersion",
    "GetObjectVersionTagging",
    "ListAllMyBuckets",
    "ListBucketVersions",
    "ListMyBuckets",
    "PutBucketCORS",
    "PutBucketObjectLockConfiguration",
    "PutBucketPolicy",
    "PutLifecycleConfiguration",
    "PutObjectRetention",
    "PutObjectVersionTagging",
}

# The policies every SVM has and nobody can change.
PREDEFINED: dict[str, list[dict[str, Any]]] = {
    "FullAccess": [{"effect": "allow", "actions": ["*"], "resources": ["*"], "sid": "FullAccess"}],
    "NoS3Access": [{"effect": "deny", "actions": ["*"], "resources": ["*"], "sid": "NoS3Access"}],
    "ReadOnlyAccess": [
        {
            "effect": "allow",
            "actions": ["GetObject", "GetObjectTagging", "ListBucket", "ListAllMyBuckets", "GetBucketLocation"],
            "resources": ["*"],
            "sid": "ReadOnlyAccess",
        }
    ],
}


@dataclass(frozen=True)
class Ask:
    """One question. `user` is None for an anonymous client; `resource` is `bucket` or `bucket/key`."""

    action: str
    resource: str
    user: str | None = None
    groups: frozenset[str] = frozenset()
    source_ip: str = "127.0.0.1"
    query: Mapping[str, str] = field(default_factory=dict)


def verdict(statements: Iterable[Statement], ask: Ask) -> str | None:
    """ "deny", "allow", or None where no statement speaks about the question."""
    answer = None
    for statement in statements:
        if not _applies(statement, ask):
            continue
        if statement.get("effect", "allow") == "deny":
            return "deny"
        answer = "allow"
    return answer


def allowed(bucket_statements: Iterable[Statement], group_statements: Iterable[Statement], ask: Ask) -> bool:
    """Statements of the bucket and of the user's groups are weighed together."""
    answers = {verdict(bucket_statements, ask), verdict(group_statements, ask)}
    return "allow" in answers and "deny" not in answers


def _applies(statement: Statement, ask: Ask) -> bool:
    return (
        _names_user(statement, ask)
        and any(_action_matches(pattern, ask.action) for pattern in statement.get("actions") or DEFAULT_ACTIONS)
        and any(_matches(pattern, ask.resource) for pattern in statement.get("resources") or ["*"])
        and all(_condition_holds(condition, ask) for condition in statement.get("conditions") or [])
    )


def _names_user(statement: Statement, ask: Ask) -> bool:
    principals = statement.get("principals")
    if not principals:  # all users of the SVM, but nobody who has not signed
        return ask.user is not None
    # "*" and the CLI's "-" are everybody, unsigned requests included.
    if "*" in principals or "-" in principals:
        return True
    return ask.user in principals or any(f"group/{group}" in principals for group in ask.groups)


def _action_matches(pattern: str, action: str) -> bool:
    # ListMyBuckets is the older of two names of one action.
    names = {"ListAllMyBuckets", "ListMyBuckets"} if action in ("ListAllMyBuckets", "ListMyBuckets") else {action}
    return any(_matches(pattern, name) for name in names)


def _matches(pattern: str, text: str) -> bool:
    return pattern == "*" or _compiled(pattern).match(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """`*` is any run of characters, slashes included; `?` is one.

    Each star gives up what it took for good once the text after it is found (an atomic group), so that a pattern with
    many stars takes no longer than one with few.
    """
    first, *others = ["".join("." if c == "?" else re.escape(c) for c in part) for part in pattern.split("*")]
    if not others:
        return re.compile(rf"{first}\Z", re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return re.compile(rf"{first}{middle}.*{others[-1]}\Z", re.DOTALL)


def _condition_holds(condition: Mapping[str, Any], ask: Ask) -> bool:
    operator = condition.get("operator", "")
    if operator in ("ip_address", "not_ip_address"):
        inside = any(_in_network(ask.source_ip, network) for network in condition.get("source_ips") or [])
        return inside == (operator == "ip_address")
    return all(_values_hold(operator, wanted, actual) for wanted, actual in _string_operands(condition, ask))


def _string_operands(condition: Mapping[str, Any], ask: Ask) -> list[tuple[list[str], str]]:
    actual = {
        "usernames": ask.user or "",
        "prefixes": ask.query.get("prefix", ""),
        "delimiters": ask.query.get("delimiter", ""),
        "max_keys": ask.query.get("max-keys", ""),
    }
    return [([str(v) for v in condition[name]], actual[name]) for name in actual if condition.get(name)]


def _values_hold(operator: str, wanted: list[str], actual: str) -> bool:
    negated = "_not_" in operator or operator.startswith("not_")
    if operator.endswith("_like"):
        holds = any(_matches(pattern, actual) for pattern in wanted)
    elif operator.startswith("numeric_"):
        return any(_number_holds(operator, actual, value) for value in wanted)
    elif operator.endswith("_ignore_case"):
        holds = actual.lower() in {value.lower() for value in wanted}
    else:
        holds = actual in wanted
    return holds != negated


def _number_holds(operator: str, actual: str, limit: str) -> bool:
    if not (_NUMBER.fullmatch(actual) and _NUMBER.fullmatch(limit)):
        return False
    a, b = int(actual), int(limit)
    return {
        "numeric_equals": a == b,
        "numeric_not_equals": a != b,
        "numeric_greater_than": a > b,
        "numeric_greater_than_equals": a >= b,
        "numeric_less_than": a < b,
        "numeric_less_than_equals": a <= b,
    }.get(operator, False)


def _in_network(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
