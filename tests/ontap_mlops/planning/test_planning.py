"""The planner: what fits, what it costs, why not the others; and that more of anything never turns it the wrong way."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontap_mlops.planning import End, Job, Kind, Readers, Record, Way, learned, past, plan
from ontap_mlops.planning.plan import CACHE_SAVES
from ontap_mlops.planning.ways import NAMES

TB = 10**12
HOME = End(name="home", kind=Kind.ONTAP, cluster="a", version=(9, 16, 1))
REMOTE = End(name="remote", kind=Kind.ONTAP, cluster="b", version=(9, 15, 1))
LAKE = End(name="s3://lake", kind=Kind.S3)
FILER = End(name="filer:/old", kind=Kind.NFS)
SHARE = End(name="//pc/share", kind=Kind.SMB)
BLOB = End(name="blob", kind=Kind.BLOB)


def job(source: End = HOME, target: End = REMOTE, **facts: Any) -> Job:
    known = {"size_bytes": TB, "change_bytes_a_day": TB / 100, "link_mbps": 1000.0, "peered": True}
    return Job(source=source, target=target, **{**known, **facts})


def way(asked: Job, name: str) -> Way:
    return next(way for way in plan(asked).ways if way.name == name)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (job(readers=Readers(share=0.05)), "FlexCache"),
        (job(readers=Readers(share=1.0)), "SnapMirror"),
        (job(readers=Readers(share=0.05), snapshots=True), "SnapMirror"),
        (job(readers=Readers(share=0.05), peered=False), "FlexCache"),
        (job(peered=False), "SnapMirror"),
        (job(readers=Readers(share=0.05), writes=True), "FlexCache"),
        (job(target=dataclasses.replace(REMOTE, cluster="a")), "FlexClone"),
        (job(source=LAKE), "S3 sync"),
        (job(target=LAKE), "S3 sync"),
        (job(source=FILER), "XCP"),
        (job(source=SHARE), "Copy and Sync"),
        (job(source=BLOB), "Copy and Sync"),
        (job(source=LAKE, target=BLOB), "Copy and Sync"),
        (job(source=LAKE, target=BLOB, copy_and_sync=False), None),
        (job(target=dataclasses.replace(REMOTE, free_bytes=200 * 10**9), readers=Readers(share=0.1)), "FlexCache"),
        (job(target=dataclasses.replace(REMOTE, snapmirror_licence=False)), "XCP"),
        (job(target=dataclasses.replace(REMOTE, snapmirror_licence=False), readers=Readers(share=0.5)), "FlexCache"),
    ],
)
def test_the_way_that_fits_is_chosen(asked: Job, chosen: str | None) -> None:
    found = plan(asked).chosen
    assert (found.name if found else None) == chosen, plan(asked).table()


@pytest.mark.parametrize(
    ("asked", "name", "said"),
    [
        (job(source=LAKE), "SnapMirror", "s3://lake is not on ONTAP"),
        (job(snapshots=True), "FlexCache", "a cache has no snapshots"),
        (job(source=dataclasses.replace(HOME, is_cache=True)), "FlexCache", "home is a cache itself"),
        (job(source=dataclasses.replace(HOME, is_s3_volume=True)), "FlexCache", "home holds S3 buckets only"),
        (job(source=dataclasses.replace(HOME, version=(9, 10, 1))), "FlexCache", "the releases are 5 apart"),
        (job(source=dataclasses.replace(HOME, version=(9, 7, 0))), "FlexCache", "ONTAP of home is older than 9.8"),
        (job(writes=True), "SnapMirror", "read-only until it is broken"),
        (job(target=dataclasses.replace(REMOTE, snapmirror_licence=False)), "SnapMirror", "remote has no licence"),
        (job(target=dataclasses.replace(REMOTE, free_bytes=10**9)), "XCP", "needs 1 TB at remote, where 1 GB are free"),
        (job(within_s=3600), "SnapMirror", "needs 2.22 h at first, more than the 60 min there are"),
        (job(change_bytes_a_day=20 * TB), "SnapMirror", "it never catches up"),
        (job(), "S3 sync", "neither end is an S3 bucket"),
        (job(), "FlexClone", "home and remote are not on one cluster"),
        (job(source=LAKE), "XCP", "s3://lake is S3"),
        (job(target=LAKE, snapshots=True), "S3 sync", "s3://lake has no snapshots"),
        (job(source=LAKE, target=LAKE), "S3 sync", "both ends are buckets"),
        (job(source=FILER, target=SHARE), "Copy and Sync", "no pair of NFS and SMB"),
    ],
)
def test_a_way_that_does_not_fit_says_why_in_one_sentence(asked: Job, name: str, said: str) -> None:
    found = way(asked, name)
    assert said in found.why_not and "\n" not in found.why_not
    assert found.why_not in plan(asked).table()


def test_what_each_way_costs() -> None:
    asked = job(readers=Readers(share=0.2, each_day=0.5), whole_files=5.0, keep_days=10)
    costs = {found.name: (found.first_bytes, found.daily_bytes, found.space_bytes) for found in plan(asked).ways}
    assert costs["SnapMirror"] == (TB, TB / 100, TB * 1.1)
    assert costs["FlexCache"] == pytest.approx((TB * 0.2, TB / 500, TB * 0.2))
    assert costs["XCP"] == costs["Copy and Sync"] == costs["S3 sync"] == (TB, TB / 20, TB)
    assert costs["FlexClone"] == (0, 0, TB / 10)
    assert way(asked, "SnapMirror").first_s == pytest.approx(TB * 8 / 1e9)


def test_what_is_not_known_is_said() -> None:
    found = plan(job(link_mbps=None, change_bytes_a_day=None, peered=None))
    assert len(found.unknown) == 3 and found.chosen is not None and found.chosen.first_s is None
    assert "not known" in found.table()
    assert not plan(job()).unknown


@pytest.mark.parametrize(
    "facts",
    [
        {"size_bytes": -1},
        {"change_bytes_a_day": -1},
        {"whole_files": 0.5},
        {"link_mbps": 0},
        {"days": 0},
        {"readers": Readers(share=1.5)},
        {"readers": Readers(each_day=-1)},
        {"rates": {"XCP": 0}},
        {"size_bytes": float("nan")},
    ],
)
def test_facts_that_cannot_be_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give|from 0 on"):
        job(**facts)


ENDS = st.builds(
    End,
    name=st.sampled_from(["one", "other"]),
    kind=st.sampled_from(Kind),
    cluster=st.sampled_from(["", "a", "b"]),
    version=st.none() | st.tuples(st.just(9), st.integers(7, 18), st.just(1)),
    free_bytes=st.none() | st.integers(0, 10**15),
    snapmirror_licence=st.none() | st.booleans(),
    is_cache=st.booleans(),
)
JOBS = st.builds(
    Job,
    source=ENDS,
    target=ENDS,
    size_bytes=st.integers(0, 10**15),
    change_bytes_a_day=st.none() | st.floats(0, 1e15),
    whole_files=st.floats(1, 100),
    readers=st.builds(Readers, count=st.integers(0, 9), share=st.floats(0, 1), each_day=st.floats(0, 50)),
    link_mbps=st.none() | st.floats(0.1, 1e6),
    peered=st.none() | st.booleans(),
    writes=st.booleans(),
    snapshots=st.booleans(),
    within_s=st.none() | st.floats(1, 1e7),
    copy_and_sync=st.none() | st.booleans(),
)
EXAMPLES = settings(max_examples=200, deadline=None)


@given(JOBS)
@EXAMPLES
def test_every_way_is_told_and_the_first_is_the_one_that_moves_least(asked: Job) -> None:
    found = plan(asked)
    assert sorted(way.name for way in found.ways) == sorted(NAMES)
    fitting = [way for way in found.ways if way.fits]
    assert list(found.ways[: len(fitting)]) == fitting
    for way in fitting:
        slack = (1 - CACHE_SAVES) if "FlexCache" in (way.name, fitting[0].name) else 1
        assert fitting[0].total(asked.days) * slack <= way.total(asked.days) * (1 + 1e-9)
    assert found.table().count("\n") >= len(NAMES)
    assert all(way.first_bytes >= 0 and way.daily_bytes >= 0 and way.space_bytes >= 0 for way in found.ways)


@given(JOBS, st.floats(1, 1000))
@EXAMPLES
def test_more_change_makes_no_way_fit_that_did_not_and_none_cheaper(asked: Job, factor: float) -> None:
    more = asked.replace(change_bytes_a_day=asked.changed * factor + 1)
    for less_way, more_way in zip(*(sorted(plan(j).ways, key=lambda w: w.name) for j in (asked, more)), strict=True):
        assert less_way.fits or not more_way.fits
        assert more_way.daily_bytes >= less_way.daily_bytes and more_way.space_bytes >= less_way.space_bytes


@given(JOBS, st.floats(1, 10))
@EXAMPLES
def test_a_faster_line_rules_nothing_out(asked: Job, factor: float) -> None:
    if asked.link_mbps is None:
        return
    faster = plan(asked.replace(link_mbps=asked.link_mbps * factor))
    assert {way.name for way in plan(asked).ways if way.fits} <= {way.name for way in faster.ways if way.fits}


@given(JOBS, st.floats(0, 1))
@EXAMPLES
def test_readers_of_a_larger_part_never_turn_a_mirror_into_a_cache(asked: Job, part: float) -> None:
    readers = asked.readers
    more = asked.replace(readers=dataclasses.replace(readers, share=readers.share + (1 - readers.share) * part))
    before, after = plan(asked).chosen, plan(more).chosen
    if before and before.name == "SnapMirror":
        assert after and after.name != "FlexCache"


def record(**facts: Any) -> Record:
    known = {"source": "home", "target": "remote", "way": "XCP", "bytes": 10**9, "seconds": 10.0}
    return Record(**{**known, "ended_at": "2026-11-26T10:00:00+00:00", **facts})


def test_speed_is_learned_from_the_newest_large_transfers_of_that_way_and_route() -> None:
    kept = [record(seconds=10.0 if n % 2 else 20.0, ended_at=f"2026-11-26T10:{n:02}:00+00:00") for n in range(11)]
    kept += [record(seconds=1000, ended_at="2026-11-01T00:00:00+00:00") for _ in range(50)]
    kept += [record(bytes=10, seconds=9), record(target="elsewhere", seconds=1), record(seconds=0.0)]
    kept += [record(way="SnapMirror", seconds=5)]
    rates = learned(kept, source="home", target="remote")
    assert rates["SnapMirror"] == 2e8 and 5e7 <= rates["XCP"] <= 1e8
    assert set(rates) == {"XCP", "SnapMirror"}
    faster = job(rates=rates)
    assert way(faster, "SnapMirror").first_s == pytest.approx(TB / 2e8)
    assert way(faster, "Copy and Sync").first_s == pytest.approx(TB * 8 / 1e9)


def test_records_are_shown_beside_what_was_said_and_survive_json() -> None:
    kept = record(said_bytes=2e9, said_s=100.0, run="r1")
    assert past.read([kept.to_json(), {"no": "record"}, None, 7]) == [kept]
    shown = past.table([kept])
    for text in ("home -> remote", "XCP", "1 GB", "2 GB", "10 s", "1.67 min", "800 Mbit/s"):
        assert text in shown
    assert past.table([]) == "No transfer has been recorded yet."


def test_a_record_of_a_way_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="way is 'rsync'; give one of FlexClone"):
        record(way="rsync")
