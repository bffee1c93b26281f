from datetime import UTC, datetime

import pytest

from ontap_mlops import names

AT = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
RUN = names.run_key("tyre_quality", "scheduled__2026-11-20", AT)
VERSION = names.version_id(AT, "sha256:0123456789abcdef")


def test_one_id_is_found_in_every_rendering():
    rendered = [
        names.workspace_volume(RUN),
        names.junction_path(names.workspace_volume(RUN)),
        names.bucket(names.workspace_volume(RUN)),
        names.workload(RUN, "train"),
        names.snapshot(RUN),
    ]
    assert {names.id_in(text) for text in rendered} == {RUN}
    assert names.id_in(names.snapshot(VERSION)) == VERSION


def test_ids_sort_by_time_and_hold_the_content():
    later = names.version_id(AT.replace(day=21), "sha256:00")
    assert VERSION < later
    assert VERSION == "v20261120t063000z01234567"


def test_runs_of_the_same_second_differ():
    assert RUN != names.run_key("tyre_quality", "manual__2026-11-20", AT)


def test_renderings_fit_the_rules_of_their_places():
    assert len(names.workload(RUN, "x" * 30)) <= 63
    assert len(names.bucket(names.workspace_volume(RUN))) <= 63
    with pytest.raises(ValueError, match="shorten the step"):
        names.workload(RUN, "x" * 60)


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        names.version_id(datetime(2026, 11, 20), "00")  # noqa: DTZ001
