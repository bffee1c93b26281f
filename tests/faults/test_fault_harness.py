"""The harness itself: it finds what operators do wrong under faults."""

from __future__ import annotations

from typing import Any

import pytest

from ontap_mlops.hooks.ontap import OntapHook
from ontap_mlops.ontap import snapshots, volumes
from ontap_mlops.operators.snapshots import OntapSnapshotCreateOperator
from tests.faults.playing import play, undisturbed
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site
from tests.faults.table import table
from tests.faults.trouble import TROUBLES

COLUMNS = {trouble.title: trouble for trouble in TROUBLES}


class NewNameEachTry(OntapSnapshotCreateOperator):
    """A retry does not find what the first try made."""

    tries = 0

    def execute(self, context: Any) -> Any:
        type(self).tries += 1
        self.snapshot = f"v{self.tries}"
        return super().execute(context)


class SpeaksInRiddles(OntapSnapshotCreateOperator):
    def execute(self, context: Any) -> Any:
        try:
            return super().execute(context)
        except Exception as error:
            error.args = ("no",)
            raise


class GivesUpAtOnce(OntapSnapshotCreateOperator):
    """Without the client's own patience, and with an error that no policy tries again."""

    def execute(self, context: Any) -> Any:
        try:
            return super().execute(context)
        except Exception as error:
            raise ValueError("it did not work") from error


def scenario(kind: type[OntapSnapshotCreateOperator]) -> Scenario:
    return Scenario(
        operator=kind.__name__,
        prepare=tyre,
        make=lambda site: kind(task_id="t", volume="tyre", snapshot="v1", comment="facts"),
    )


def played(site: Site, kind: type[OntapSnapshotCreateOperator], trouble: str) -> str:
    one = scenario(kind)
    return str(play(site, one, COLUMNS[trouble], undisturbed(site, one), 9))


def test_a_retry_that_makes_a_second_one_is_found(site: Site) -> None:
    with pytest.raises(AssertionError, match="ended otherwise than undisturbed"):
        played(site, NewNameEachTry, "killed after")


def test_an_error_without_a_sentence_is_found(site: Site) -> None:
    with pytest.raises(AssertionError, match="'no'"):
        played(site, SpeaksInRiddles, "password expired")


def test_an_error_that_ends_what_could_go_on_is_found(site: Site) -> None:
    with pytest.raises(AssertionError, match="ended with ValueError"):
        played(site, GivesUpAtOnce, "away for good")


def test_a_password_in_an_error_is_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.here.emulator, "password", "ONTAP")
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", site.here.connection(password="emulator-test"))
    with pytest.raises(AssertionError, match="names a password"):
        played(site, OntapSnapshotCreateOperator, "password expired")


def test_a_sound_operator_survives_and_the_table_says_so(site: Site) -> None:
    assert played(site, OntapSnapshotCreateOperator, "killed after") == "survived"
    volume = volumes.get(site.client, svm="svm1", name="tyre")
    assert snapshots.count(site.client, volume_uuid=volume.uuid) == 1
    head, _, row = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table([("OntapSnapshotCreateOperator", "killed after", "survived")])
    )
    assert dict(zip(head, row, strict=True))["killed after"] == "survived"


class AsksThere(OntapSnapshotCreateOperator):
    """Looks at the other cluster before it makes its snapshot here."""

    def execute(self, context: Any) -> Any:
        with OntapHook("ontap_remote").client() as client:
            volumes.list_volumes(client, svm="svm2")
        return super().execute(context)


TWO = Scenario(
    operator="AsksThere",
    clusters=2,
    prepare=tyre,
    make=lambda site: AsksThere(task_id="t", volume="tyre", snapshot="v1", comment="facts"),
)


@pytest.mark.parametrize("scenario", [TWO], ids=["two clusters"])
def test_of_two_clusters_the_other_one_can_be_away(scenario: Scenario, site: Site) -> None:
    good = undisturbed(site, scenario)
    assert {call.cluster for call in good.calls} == {"here", "there"}
    assert [len(site.there.records(path)) for path in ("/cluster/peers", "/svm/peers")] == [1, 1]
    ended = str(play(site, scenario, COLUMNS["peer unreachable"], good, 9))
    assert ended == "survived / Unreachable", "its first call cannot be made, the later ones do not need the peer"
