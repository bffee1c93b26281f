"""The one map from ONTAP's answers to our errors."""

from __future__ import annotations

import pickle

import pytest

from ontap_mlops.ontap import errors


@pytest.mark.parametrize(
    ("code", "status", "message", "expected"),
    [
        ("917526", 409, "duplicate", errors.NameTaken),
        (917526, 409, "drawn as a number in some answers", errors.NameTaken),
        ("525059", 409, "", errors.NameTaken),
        ("525062", 409, "", errors.SnapshotLimit),
        ("1638555", 409, "", errors.Locked),
        ("524486", 409, "", errors.InUse),
        ("1638543", 409, "", errors.InUse),
        ("8", 409, "", errors.InUse),
        ("1703945", 400, "Ruleset is in use by a volume", errors.InUse),
        ("1703954", 400, "Export policy does not exist", errors.NotFound),
        ("1703952", 400, "No spaces are allowed in a name", errors.InvalidRequest),
        ("393271", 400, "A node is offline", errors.UnderWay),
        ("13107405", None, "Another job makes this volume", errors.UnderWay),
        ("2621462", 404, "", errors.NotFound),
        ("6", 403, "", errors.NotAuthorized),
        ("6691623", 401, "User is not authorized.", errors.AuthenticationFailed),
        (None, 401, "", errors.AuthenticationFailed),
        ("262197", 400, "", errors.InvalidRequest),
        ("262179", 400, "Unexpected argument", errors.InvalidRequest),
        (None, 503, "", errors.ServiceTrouble),
        ("8", 503, "a generic code of a failing server", errors.ServiceTrouble),
        ("1", 409, "", errors.NameTaken),
        ("4", 404, "", errors.NotFound),
        (None, 429, "", errors.ServiceTrouble),
        ("13001", None, "There is not enough space in aggregate aggr1", errors.SpaceFull),
        ("524479", 400, 'Volume "v" is not online or does not have enough space', errors.SpaceFull),
        ("13001", None, "User is not authorized", errors.NotAuthorized),
        ("13001", None, "something else", errors.JobFailed),
        ("2621573", 400, "This Vserver is temporarily locked from changes.", errors.UnderWay),
        (2621573, 409, "", errors.UnderWay),
        ("2621573", None, "said by a job", errors.UnderWay),
        ("13303812", 400, "A transfer is running", errors.UnderWay),
        ("13303816", 400, "", errors.UnderWay),
        ("13303822", 400, "", errors.UnderWay),
        ("66846947", 400, "", errors.UnderWay),
        ("262325", 403, "The security multi-admin-verify request (index 1) requires approval.", errors.NotApproved),
        ("13434889", 409, "", errors.UnderWay),
        ("13434894", 400, "Maximum number of SVM jobs", errors.UnderWay),
        ("7", 400, "The volume is temporarily unavailable", errors.UnderWay),
        ("7", 409, "Another operation is in progress on the volume.", errors.UnderWay),
        ("7", 500, "Try again later", errors.UnderWay),
        ("262197", 400, "Invalid value. Correct it and try again.", errors.InvalidRequest),
        ("918999", 409, "A volume move contradicts it", errors.Conflict),
        (None, 409, "", errors.Conflict),
        (None, 409, "A policy with this name already exists", errors.NameTaken),
        (None, 409, "The policy is in use by volume v", errors.InUse),
        ("8454154", 409, "", errors.NameTaken),
        ("92405942", 409, "", errors.NameTaken),
        ("1", 503, "a generic code of a failing server", errors.ServiceTrouble),
    ],
)
def test_an_answer_is_told_apart_by_code_then_words_then_status(code, status, message, expected) -> None:
    error = errors.refused("make it", code=code, status=status, message=message, default=errors.JobFailed)
    assert type(error) is expected


def test_the_sentence_says_what_was_asked_what_came_back_and_what_to_do() -> None:
    error = errors.refused(
        "create volume 'x' of SVM 'svm1'", code="917526", status=409, message="duplicate name\n  here.", target="name"
    )
    assert str(error) == (
        "ONTAP refused to create volume 'x' of SVM 'svm1' (HTTP 409, code 917526): duplicate name here. "
        "Choose another name, or rename or remove what has it."
    )
    assert (error.code, error.target, error.http_status) == ("917526", "name", 409)


def test_every_error_is_either_temporary_or_permanent() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.OntapError)]
    leaves = [k for k in kinds if not any(k is not other and issubclass(other, k) for other in kinds)]
    assert len(leaves) >= 15
    for kind in leaves:
        both = (issubclass(kind, errors.OntapTemporaryError), issubclass(kind, errors.OntapPermanentError))
        assert both in [(True, False), (False, True)], kind


def test_an_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(errors.Locked("sentence", code="1638555", http_status=409)))
    assert (str(error), error.code, error.http_status) == ("sentence", "1638555", 409)


def test_a_conflict_of_unknown_reason_is_tried_again_and_advises_no_other_name() -> None:
    error = errors.refused("mount volume 'v' at /v", code="918999", status=409, message="a move is under way")
    assert isinstance(error, errors.OntapTemporaryError)
    assert "another name" not in str(error)
    assert str(error).endswith("a move is under way. See what else holds or changes it, then run it again.")
