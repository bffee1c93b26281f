"""Files of a version are read inside its snapshot only, and only what may be shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ontap_mlops.ui.facts import samples
from ontap_mlops.ui.facts.samples import NoSample
from ontap_mlops.ui.facts.storage import version_of
from tests.ontap_mlops.ui.conftest import dataset_version

SNAPSHOT = "mlops_v20261101t063000z00000000"


@pytest.fixture
def folder(namespace: Path) -> Path:
    """As the emulator lays it out: the junction and ``.snapshot`` are links, which lead to the snapshots."""
    volume = namespace / "volumes" / "u1"
    data = volume / "snapshots" / SNAPSHOT / "data"
    for kind in ("good", "defective"):
        (data / kind).mkdir(parents=True)
        for n in range(6):
            Image.new("RGB", (4, 4), (n, 0, 0)).save(data / kind / f"{n}.png")
    (data / "labels.csv").write_text('name,label\n0.png,"good, surely"\n1.png,good\n')
    (data / "notes.txt").write_text("<script>alert(1)</script>")
    (volume / "data").mkdir()
    (volume / "data" / ".snapshot").symlink_to("../snapshots")
    (namespace / "tyre_images").symlink_to(volume / "data")
    (namespace / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\nsecret")
    return samples.data_folder("svm1", "/tyre_images", SNAPSHOT)


def test_a_few_pictures_of_each_folder_and_the_first_rows_of_tables_are_shown(folder: Path) -> None:
    found = samples.samples("tyre_images", version_of(dataset_version(0)), folder)
    assert [each.path for each in found.samples] == [
        "labels.csv",
        "notes.txt",
        *(f"defective/{n}.png" for n in range(4)),
        *(f"good/{n}.png" for n in range(4)),
    ]
    assert found.samples[0].rows == [["name", "label"], ["0.png", "good, surely"], ["1.png", "good"]]
    assert found.samples[1].text == "<script>alert(1)</script>"
    body, kind = samples.picture(folder, "good/1.png")
    assert kind == "image/png" and body == (folder / "good" / "1.png").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "../../../../secret.png",
        "good/../../labels.png",
        "/etc/passwd.png",
        "good//1.png",
        "./good/1.png",
        "",
        "good",
        "good/none.png",
        "good/1.png/x.png",
        "a\0b.png",
    ],
)
def test_no_path_leads_out_of_the_version(folder: Path, path: str) -> None:
    with pytest.raises(NoSample):
        samples.picture(folder, path)


def test_links_in_the_data_are_not_followed(folder: Path, namespace: Path) -> None:
    (folder / "link.png").symlink_to(namespace / "secret.png")
    (folder / "out").symlink_to(namespace)
    for path in ("link.png", "out/secret.png"):
        with pytest.raises(NoSample):
            samples.picture(folder, path)
    shown = [each.path for each in samples.samples("d", version_of(dataset_version(0)), folder).samples]
    assert "link.png" not in shown and "out/secret.png" not in shown


def test_what_is_no_picture_or_too_large_is_not_given_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "page.png").write_text("<html>")
    with pytest.raises(NoSample, match="no picture"):
        samples.picture(folder, "page.png")
    with pytest.raises(NoSample, match="Only PNG and JPEG"):
        samples.picture(folder, "notes.txt")
    monkeypatch.setattr(samples, "PICTURE_BYTES", 10)
    with pytest.raises(NoSample, match="are shown"):
        samples.picture(folder, "good/1.png")


@pytest.mark.parametrize(("junction", "snapshot"), [("/../x", SNAPSHOT), (None, SNAPSHOT), ("/tyre_images", "../data")])
def test_a_snapshot_is_reached_by_plain_names_only(folder: Path, junction: str | None, snapshot: str) -> None:
    with pytest.raises(NoSample):
        samples.data_folder("svm1", junction, snapshot)


def test_without_a_mount_the_sentence_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__ONTAP_MLOPS__HUB_NAMESPACE_ROOTS", raising=False)
    with pytest.raises(NoSample, match="hub_namespace_roots"):
        samples.data_folder("svm1", "/tyre_images", SNAPSHOT)


def test_each_svm_may_be_mounted_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__HUB_NAMESPACE_ROOTS", "svm1=/a, svm2=/b")
    assert (str(samples.root_of("svm1")), str(samples.root_of("svm2"))) == ("/a", "/b")
    with pytest.raises(NoSample):
        samples.root_of("svm3")
