"""What is measured of a path, what is refused, and what the report makes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.common.data import open_target
from tasks.common.program import BadInput, TryAgain
from tasks.storage import fio, measure, patterns, report

needs_fio = pytest.mark.skipif(shutil.which("fio") is None, reason=fio.MISSING)
TINY = ["--size-mib=16", "--seconds=0.3", "--files=20", "--pictures=8", "--frame-mb=1", "--streams=1"]


def run(monkeypatch: pytest.MonkeyPatch, path: object, results: Path, *flags: str) -> dict[str, Any]:
    monkeypatch.setattr("sys.argv", ["measure", f"--path={path}", f"--results={results}", *TINY, *flags])
    return measure.main()


@needs_fio
def test_a_path_is_measured_and_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mounted"
    path.mkdir()
    (path / "somebody's").write_text("own")
    tests = "--tests=sequential,random,mixed,frames,small_files,loader"
    told = run(monkeypatch, path, tmp_path / "results", tests, "--shown=volume:proof")
    assert [each.name for each in path.iterdir()] == ["somebody's"]
    kept = json.loads(Path(told["file"]).read_text())
    assert kept["path"] == "volume:proof" and Path(told["file"]).parent.name == measure.name_of("volume:proof")
    found = kept["tests"]
    assert {"seq_write", "seq_read", "rand_read", "rand_write", "mixed", "frames_read", "frames_write"} <= set(found)
    assert {"small_write", "small_read", "small_stat", "small_delete", "loader"} <= set(found)
    assert all(told["operations_per_s"] > 0 for told in found.values())
    assert (found["seq_read"]["cache"], found["seq_read_warm"]["cache"]) == ("cold", "warm")
    assert found["small_stat"]["mb_per_s"] == 0, "looking at a file moves none of its bytes"
    assert found["frames_read"]["frames"] >= 7 and found["frames_read"]["dropped"] <= found["frames_read"]["frames"]
    assert found["loader"]["sample_bytes"] > 1000


@needs_fio
def test_a_path_that_vanishes_in_the_middle_is_said_with_fios_words(tmp_path: Path) -> None:
    (job,) = fio.mixed(1 << 20, 0.1, direct=False)
    with pytest.raises(TryAgain, match="fio failed on .*gone in mixed: .*(No such file|is not a directory)"):
        fio.run(job, tmp_path / "gone", 1)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--path={path}/nowhere"], "is no folder where this program runs; mount it there"),
        (["--path={path}", f"--size-mib={1 << 40}"], "GB free and the measurement needs .*; make room"),
        (["--path={path}", "--tests=speed"], "There is no test speed; choose from sequential, random"),
        (["--path={path}", "--tests="], "There is no test named"),
        (["--path=s3://lake/proof", "--tests=random,frames"], "are of files, and s3://lake/proof is a bucket"),
        (["--path={path}", "--seconds=0"], "--seconds is 0.0 and must be above 0"),
    ],
)
def test_what_cannot_be_measured_gets_one_sentence(
    flags: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [flag.format(path=tmp_path) for flag in flags]
    monkeypatch.setattr("sys.argv", ["measure", f"--results={tmp_path}/results", *asked])
    with pytest.raises(BadInput, match=sentence):
        measure.main()
    assert list(tmp_path.iterdir()) == []


def test_without_fio_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BadInput, match="apt-get install fio"):
        run(monkeypatch, tmp_path, tmp_path / "results", "--tests=sequential")
    assert list(tmp_path.iterdir()) == []


def answered(ios: int, runtime_ms: int, bins: dict[str, int]) -> dict[str, Any]:
    side = {"total_ios": ios, "bw_bytes": 5e6, "iops": 24.0, "runtime": runtime_ms}
    side["clat_ns"] = {"mean": 2e6, "percentile": {"50.000000": 1e6, "99.000000": 9e6}, "bins": bins}
    return {"error": 0, "read": side, "write": {"total_ios": 0}}


def test_a_frame_is_dropped_when_it_comes_after_the_next_one_was_due_or_never() -> None:
    _, job = fio.frames(1 << 30, 2, direct=False, frame=1 << 20, rate=24, streams=2)
    assert job.name == "frames_read"
    in_time = fio.figures(job, answered(96, 2000, {"1000000": 96}))
    assert (in_time["frames"], in_time["dropped"]) == (96, 0)
    late = fio.figures(job, answered(90, 2000, {"1000000": 80, "50000000": 10}))
    assert (late["frames"], late["dropped"]) == (96, 10 + 6)
    assert (late["mb_per_s"], late["p50_ms"], late["p99_ms"]) == (5.0, 1.0, 9.0)


def test_an_accelerator_that_waits_for_its_samples_is_not_fed(tmp_path: Path) -> None:
    small = patterns.Model("small", 1000, 4, {"a100": 0.02}, 0.9)
    fast = open_target(str(tmp_path / "data"))
    told = patterns.accelerator(fast, small, "a100", samples=8, steps=3)
    assert told["busy"] > 0.5 and told["sample_bytes"] == 1000
    assert fast.entries() == []

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(fast, name)

        def read(self, key: str) -> bytes:
            import time

            time.sleep(0.5)
            return fast.read(key)

    assert patterns.accelerator(Slow(), small, "a100", samples=8, steps=10)["busy"] < told["busy"]  # type: ignore[arg-type]
    assert patterns.MODELS["resnet50"].needs("h100", 2) == pytest.approx(2 * 400 * 114660 / 0.224 / 1e6)


def keep(results: Path, path: str, day: str, rate: float, **more: Any) -> None:
    figures = {"title": "sequential read, 1 MiB", "cache": "cold", "mb_per_s": rate, "operations_per_s": rate}
    told = {"path": path, "measured": f"{day}T10:00:00+00:00", "size_mib": 64, "seconds": 1.0, "host": "h"}
    file = results / measure.name_of(path) / f"{day}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told | {"tests": {"seq_read": figures}} | more))


def test_the_report_compares_paths_with_each_other_and_with_a_month_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, output = tmp_path / "results", tmp_path / "report"
    for day, rate in (("2026-09-29", 100.0), ("2026-10-26", 200.0), ("2026-11-20", 400.0), ("2026-11-27", 300.0)):
        keep(results, "/mnt/a", day, rate)
    keep(results, "/mnt/a", "2026-10-28", 999.0, size_mib=128)
    keep(results, "/mnt/<b>", "2026-11-27", 900.0)
    (results / "other").mkdir()
    (results / "other" / "x.json").write_text("{}")
    flags = [f"--results={results}", f"--output={output}", "--paths=/mnt/a,/mnt/<b>,/mnt/never"]
    monkeypatch.setattr("sys.argv", ["report", *flags])
    told = report.main()
    assert told["paths"] == [
        {"path": "/mnt/a", "figures": {"seq_read": 300.0}},
        {"path": "/mnt/<b>", "figures": {"seq_read": 900.0}},
    ]
    text = (output / "report.md").read_text()
    change = "| /mnt/a | sequential read, 1 MiB, cold | -25% since 20 Nov 2026 | +50% since 26 Oct 2026 |"
    assert change in text, "with what was measured alike only"
    assert "| resnet50 on H100, batch 400 | 205 | 1 (300 MB/s) | 4 (900 MB/s) |" in text
    page = (output / "report.html").read_text()
    assert "/mnt/&lt;b&gt;" in page and "<b>" not in page and "data:image/png;base64," in page


def test_a_report_of_nothing_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["report", f"--results={tmp_path}", f"--output={tmp_path}/out", "--paths=/a"])
    with pytest.raises(BadInput, match="holds no measurement of a-.*: measure first"):
        report.main()


def test_two_paths_have_two_names() -> None:
    assert measure.name_of("/mnt/a") != measure.name_of("/mnt-a")
    assert measure.name_of("/").startswith("root-")
