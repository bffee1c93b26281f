"""A typo in a configuration file is answered with file, line and what would have been right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from ontap_mlops.config_file import ConfigError, Section, Texts, load


class Keep(Section):
    versions: Annotated[int, Field(ge=1)] = 30
    share: Annotated[float, Field(le=1)] | None = None


class Example(Section):
    volume: str
    kind: Literal["local", "kubernetes"] = "local"
    keep: Keep = Keep()
    tags: Texts = ()
    private: bool = False


class Local(Section):
    kind: Literal["local"]
    python: str = ""


class Cloud(Section):
    kind: Literal["cloud"]
    region: str = ""


class Places(Section):
    places: dict[str, Annotated[Local | Cloud, Field(discriminator="kind")]]


@pytest.fixture
def read(tmp_path: Path):
    def read(text: str, model=Example):
        (tmp_path / "c.yaml").write_text(text)
        return load(tmp_path / "c.yaml", model)

    return read


def test_absent_keys_get_their_defaults(read) -> None:
    assert read("volume: tyres\nkeep:\n") == Example(
        volume="tyres", kind="local", keep=Keep(versions=30, share=None), tags=(), private=False
    )


def test_a_number_or_a_date_without_quotes_counts_as_its_text_where_a_text_is_wanted(read) -> None:
    found = read("volume: 2026-01-01\ntags: 7\nprivate: yes\nkeep: {versions: 3, share: 1}\n")
    assert (found.volume, found.tags, found.private) == ("2026-01-01", ("7",), True)
    assert (found.keep.versions, found.keep.share) == (3, 1.0)


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (
            "volume: a\nkepe:\n  versions: 1\n",
            2,
            "unknown key 'kepe', did you mean 'keep'?; allowed keys are keep, kind",
        ),
        ("volume: a\nkeep:\n  version: 1\n", 3, "allowed keys are share, versions (in keep.version)"),
        ("kind: local\n", 1, "the key 'volume' is missing"),
        ("volume: a\nkind: lokal\n", 2, "'lokal' is not one of kubernetes, local, did you mean 'local'?"),
        ("volume: a\nkeep:\n  versions: many\n", 3, "'many' is not a whole number"),
        ("volume: a\nkeep:\n  versions: 0\n", 3, "0 is below 1"),
        ("volume: a\nkeep:\n  share: 2\n", 3, "2 is above 1"),
        ("volume: a\nprivate: maybe\n", 2, "not true or false"),
        ("volume: a\nvolume: b\n", 2, "given twice"),
        ("volume:\n  - a\n", 1, "here a text is needed, not a list"),
        ("volume:\n", 1, "here a text is needed, not nothing"),
        ("volume: a\ntags:\n  - a\n  - {b: c}\n", 4, "here a text is needed, not a mapping"),
        ("volume: a\nkeep: 3\n", 2, "here a mapping"),
        ("- a\n", 1, "here a mapping"),
        ("volume: a\nkeep: [\n", 3, "not YAML"),
        ("", 1, "empty"),
        ("volume: a\nkeep:\n  versions: 0\nkind: lokal\n", 3, "below 1"),
    ],
)
def test_a_mistake_names_file_line_and_what_is_allowed(
    read, tmp_path: Path, text: str, line: int, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'c.yaml'}:{line}: ")
    assert sentence in str(caught.value)


def test_environment_variables_are_put_in(read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/mnt")
    monkeypatch.delenv("ELSEWHERE", raising=False)
    assert read("volume: ${WHERE}/${ELSEWHERE:-here}\nkeep: {versions: '${ELSEWHERE:-4}'}\n") == Example(
        volume="/mnt/here", keep=Keep(versions=4)
    )
    with pytest.raises(ConfigError, match=r"c\.yaml:1: environment variable ELSEWHERE is not set"):
        read("volume: ${ELSEWHERE}\n")


def test_the_kind_decides_the_other_keys(read) -> None:
    assert read("places:\n  a: {kind: cloud, region: x}\n", Places).places == {"a": Cloud(kind="cloud", region="x")}
    with pytest.raises(ConfigError, match=r"c\.yaml:4: unknown key 'region'; allowed keys are kind, python"):
        read("places:\n  a:\n    kind: local\n    region: x\n", Places)
    with pytest.raises(ConfigError, match=r"c\.yaml:3: 'moon' is not one of cloud, local"):
        read("places:\n  a:\n    kind: moon\n", Places)
    with pytest.raises(ConfigError, match=r"c\.yaml:2: the key 'kind' is missing"):
        read("places:\n  a: {region: x}\n", Places)


def test_values_that_come_from_no_file_are_explained_too() -> None:
    assert Example.of({"volume": "a", "keep": {"versions": 2}}, "here").keep.versions == 2
    with pytest.raises(ConfigError, match=r"^here: unknown key 'versoins', did you mean 'versions'.*in keep\.versoins"):
        Example.of({"volume": "a", "keep": {"versoins": 2}}, "here")


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere.yaml: there is no such file"):
        load(tmp_path / "nowhere.yaml", Example)
