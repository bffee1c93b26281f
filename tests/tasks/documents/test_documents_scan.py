"""A scan judges each document by policy, names each place, opens what is new only, and goes on where it was killed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.common.program import BadInput
from tasks.documents import layout, plans, scan, scanned
from tasks.documents.policy import Policy
from tasks.documents.sandbox import Limits
from tasks.documents.scan import Scan, digests, scan_files
from tasks.documents.scanned import IN, KEPT_OUT, MASKED, UNREADABLE, Scanned

SOME = ("hr/*", "sales/*", "legal/*", "notices/minutes.md")


@pytest.fixture(scope="session")
def some(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is of interest to a scan."""
    folder = tmp_path_factory.mktemp("some") / "data"
    for pattern in SOME:
        for file in documents.glob(pattern):
            target = folder / file.relative_to(documents)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    shutil.copy(documents / "notices" / "minutes.md", folder / "copy.md")
    return folder


def scan_of(data: Path, output: Path, policy: str = "mask", run_key: str = "r1", **but: str) -> Scan:
    chosen = Policy.of(policy, but)
    output.mkdir(exist_ok=True)
    return Scan(data, output, chosen, f"with-{chosen.digest}", Limits(), run_key)


def scanned_by(one: Scan) -> tuple[dict[str, Scanned], int]:
    found, fresh = scan_files(one, digests(str(one.data)))
    scanned.keep(one.output / layout.SCANNED, found)
    return {each.path: each for each in found}, fresh


def texts(one: Scan) -> dict[str, Any]:
    return {line["scanned"]["path"]: line["document"] for line in scanned.lines(one.texts)}


def test_policy_decides_what_of_a_document_goes_on(some: Path, tmp_path: Path):
    one = scan_of(some, tmp_path / "index")
    found, fresh = scanned_by(one)
    assert fresh == len(found) and {path: each.outcome for path, each in found.items()} == {
        "copy.md": IN,
        "hr/door-access.pdf": KEPT_OUT,
        "hr/move.md": MASKED,
        "hr/personnel-file.docx": MASKED,
        "hr/salaries.md": MASKED,
        "hr/sick-leave.txt": KEPT_OUT,
        "legal/dispute.txt": KEPT_OUT,
        "notices/minutes.md": IN,
        "sales/contacts.txt": MASKED,
        "sales/web-visits.html": MASKED,
    }
    assert found["hr/door-access.pdf"].sentence == "hr/door-access.pdf holds biometric data."
    places = {(each.kind, each.place) for each in found["sales/contacts.txt"].found}
    assert places == {("personal", "lines 1-3"), ("communication", "lines 1-3")}
    assert scanned.twice(found.values()) == [["copy.md", "notices/minutes.md"]]
    assert texts(one)["legal/dispute.txt"] is None
    whole = (one.output / layout.SCANNED).read_text() + one.texts.read_text()
    for secret in (
        "Lindgren",
        "536-22",
        "DE89",
        "4111",
        "anna.kowalska",
        "7946",
        "203.0.113",
        "disc",
        "88213",
        "theft",
    ):
        assert secret not in whole, "neither what was found nor the text around it is written down"
    assert "leads the assembly" in whole, "what is not personal stays"


def test_the_strict_policy_lets_none_of_it_through(some: Path, tmp_path: Path):
    one = scan_of(some, tmp_path / "index", "strict")
    found, _ = scanned_by(one)
    assert {path for path, each in found.items() if not each.is_indexed} == set(plans.PERSONAL)
    assert {path for path, document in texts(one).items() if document} == set(found) - set(plans.PERSONAL)


def test_only_what_is_new_is_opened(some: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one = scan_of(some, tmp_path / "index")
    first, _ = scanned_by(one)
    monkeypatch.setattr(scan, "_indexed", lambda _: {p: e.digest for p, e in first.items() if e.is_indexed})
    again, fresh = scanned_by(scan_of(some, tmp_path / "index", run_key="r2"))
    assert again == first and fresh == 0
    _, fresh = scanned_by(scan_of(some, tmp_path / "index", run_key="r3", health="mask"))
    assert fresh == len(first), "another policy looks at everything again"


def test_what_the_index_lacks_is_opened_again(some: Path, tmp_path: Path):
    first, _ = scanned_by(scan_of(some, tmp_path / "index"))
    _, fresh = scanned_by(scan_of(some, tmp_path / "index", run_key="r2"))
    assert fresh == sum(each.is_indexed for each in first.values())


def test_a_killed_scan_goes_on_where_it_was(some: Path, tmp_path: Path):
    one = scan_of(some, tmp_path / "index")
    first, _ = scanned_by(one)
    whole = one.texts.read_bytes().splitlines(keepends=True)
    one.texts.write_bytes(b"".join(whole[:4]) + whole[4][:30])
    (one.output / layout.SCANNED).unlink()
    again, fresh = scanned_by(one)
    assert again == first and fresh == len(first) - 4
    assert texts(one).keys() == first.keys()


def test_a_refused_version_leaves_no_text(documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = tmp_path / "data"
    shutil.copytree(documents / "legal", data)
    argv = ["scan", f"--data={data}", f"--output={tmp_path / 'index'}", "--but=legal=refuse"]
    monkeypatch.setattr("sys.argv", argv)
    monkeypatch.setattr(scan, "made_with", lambda *_: "with this")
    with pytest.raises(BadInput, match=r"refuses the version: legal data in 1 documents \(dispute.txt\)"):
        scan.main()
    assert [path.name for path in (tmp_path / "index").glob("texts*")] == []
    (told,) = scanned.kept(tmp_path / "index" / layout.SCANNED)
    assert {each.place for each in told.found} == {"lines 1-3"}


def test_a_scan_of_what_cannot_be_read_goes_on_and_its_result_is_small(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    data = tmp_path / "data"
    for number in range(12):
        shutil.copytree(documents / "incoming", data / f"{number}")
    argv = ["scan", f"--data={data}", f"--output={tmp_path / 'index'}"]
    monkeypatch.setattr("sys.argv", argv)
    result = scan.main()
    assert result["outcomes"][UNREADABLE] == 12 * 8 and result["outcomes"][IN] == 12
    assert len(json.dumps(result)) < 4096 and result["more_sentences"] == 12 * 8 - len(result["sentences"])
    assert "WARNING: 3/german.txt is in German" in capsys.readouterr().err


def test_what_lies_beside_the_documents_is_none(documents: Path):
    assert not layout.RESERVED & digests(str(documents)).keys()
