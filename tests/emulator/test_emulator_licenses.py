"""Licences: listed when they are there, and what is not licensed only when that is asked for."""

from __future__ import annotations

PATH = "/api/cluster/licensing/licenses"


def test_licences_are_listed_by_name_with_owner_and_serial_number(api):
    found = {each["name"]: each for each in api.get(f"{PATH}?fields=*").json()["records"]}
    assert {"nfs", "s3", "snapmirror"} <= set(found)
    (licence,) = found["snapmirror"]["licenses"]
    assert (found["snapmirror"]["state"], licence["compliance"]["state"]) == ("compliant", "compliant")
    assert api.get(f"{PATH}/snapmirror").json()["licenses"][0]["serial_number"] == licence["serial_number"]
    assert api.get(f"{PATH}/nothing").status_code == 404


def test_one_that_is_taken_away_is_shown_only_to_who_asks_for_what_is_unlicensed(api):
    assert api.delete(f"{PATH}/s3").status_code == 404, "the serial number is missing"
    assert api.delete(f"{PATH}/s3?serial_number=1-80-000011").status_code == 200
    assert "s3" not in [each["name"] for each in api.get(PATH).json()["records"]]
    assert api.get(f"{PATH}/s3").status_code == 404
    (gone,) = api.get(f"{PATH}?state=unlicensed&fields=*").json()["records"]
    assert (gone["name"], gone["state"], "licenses" in gone) == ("s3", "unlicensed", False)
    assert api.get(f"{PATH}/s3?state=unlicensed").json()["state"] == "unlicensed"
    assert [each["name"] for each in api.get(f"{PATH}?name=nfs&state=unlicensed").json()["records"]] == []
