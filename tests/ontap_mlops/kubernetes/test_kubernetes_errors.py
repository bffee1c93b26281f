"""Which of Kubernetes' answers may pass by themselves, as its API server words them."""

from __future__ import annotations

import json

import pytest

from ontap_mlops.kubernetes import errors


def error(status: int, reason: str, message: str) -> errors.KubernetesError:
    body = json.dumps({"kind": "Status", "reason": reason, "message": message})
    return errors.of_answer("k8s.example.com", "make Pod team/one", status, body)


QUOTA = (
    'pods "one" is forbidden: exceeded quota: team, requested: limits.memory={}, used: limits.memory=6Gi, '
    "limited: limits.memory=8Gi"
)


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (401, "Unauthorized", "Unauthorized", errors.LoginRefused),
        (403, "Forbidden", 'pods is forbidden: User "x" cannot create resource "pods"', errors.NotAllowed),
        (403, "Forbidden", QUOTA.format("4Gi"), errors.OverQuota),
        (403, "Forbidden", QUOTA.format("9000Mi"), errors.BeyondQuota),
        (
            403,
            "Forbidden",
            "unable to create new content in namespace t because it is being terminated",
            errors.Conflict,
        ),
        (404, "NotFound", 'namespaces "t" not found', errors.NotFound),
        (409, "AlreadyExists", 'pods "one" already exists', errors.NameTaken),
        (409, "Conflict", "the object has been modified", errors.Conflict),
        (422, "Invalid", "Pod is invalid: spec: Required value", errors.InvalidRequest),
        (429, "TooManyRequests", "too many requests", errors.TooBusy),
        (500, "InternalError", "etcdserver: leader changed", errors.TooBusy),
        (503, "ServiceUnavailable", "apiserver is shutting down", errors.TooBusy),
    ],
)
def test_each_answer_has_its_class_and_a_sentence(status: int, reason: str, message: str, kind: type):
    found = error(status, reason, message)
    assert type(found) is kind
    assert found.status == status and found.reason == reason
    assert str(found).startswith("Kubernetes at k8s.example.com was asked to make Pod team/one and answered: ")
    assert message in str(found) and str(found).endswith(f"{kind.advice}.")


def test_an_answer_that_is_no_status_is_shown_as_it_came():
    found = errors.of_answer("k8s.example.com", "list its pods", 502, b"<html>Bad Gateway</html>")
    assert type(found) is errors.TooBusy and "<html>Bad Gateway</html>" in str(found)


def test_every_class_says_whether_a_retry_can_help_and_what_to_do():
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.KubernetesError)]
    both = (errors.KubernetesTemporaryError, errors.KubernetesPermanentError)
    for kind in set(kinds) - {errors.KubernetesError, *both}:
        assert issubclass(kind, both) and kind.advice, kind
