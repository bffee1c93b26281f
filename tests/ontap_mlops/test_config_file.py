"""A typo in a configuration file is answered with file, line and what would have been right."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontap_mlops.config_file import ConfigError, Flag, Items, Named, Number, Section, Text, Variant, Whole, load

SCHEMA = Section(
    {
        "volume": Text(required=True),
        "kind": Text(choices=("local", "kubernetes"), default="local"),
        "keep": Section({"versions": Whole(default=30, minimum=1), "share": Number(maximum=1)}),
        "tags": Items(Text()),
        "private": Flag(default=False),
    }
)


@pytest.fixture
def read(tmp_path: Path):
    def read(text: str, schema=SCHEMA):
        (tmp_path / "c.yaml").write_text(text)
        return load(tmp_path / "c.yaml", schema)

    return read


def test_absent_keys_get_their_defaults(read) -> None:
    assert read("volume: tyres\n") == {
        "volume": "tyres",
        "kind": "local",
        "keep": {"versions": 30, "share": None},
        "tags": [],
        "private": False,
    }


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (
            "volume: a\nkepe:\n  versions: 1\n",
            2,
            "unknown key 'kepe', did you mean 'keep'?; allowed keys are keep, kind",
        ),
        ("volume: a\nkeep:\n  version: 1\n", 3, "allowed keys are share, versions (in keep)"),
        ("kind: local\n", 1, "the key 'volume' is missing"),
        ("volume: a\nkind: lokal\n", 2, "'lokal' is not one of kubernetes, local, did you mean 'local'?"),
        ("volume: a\nkeep:\n  versions: many\n", 3, "'many' is not a whole number"),
        ("volume: a\nkeep:\n  versions: 0\n", 3, "0 is below 1"),
        ("volume: a\nkeep:\n  share: 2\n", 3, "2 is above 1"),
        ("volume: a\nprivate: maybe\n", 2, "not true or false"),
        ("volume: a\nvolume: b\n", 2, "given twice"),
        ("volume:\n  - a\n", 2, "here a text is needed, not a list"),
        ("- a\n", 1, "here a mapping"),
        ("volume: a\nkeep: [\n", 3, "not YAML"),
        ("", 1, "empty"),
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
    assert read("volume: ${WHERE}/${ELSEWHERE:-here}\n")["volume"] == "/mnt/here"
    with pytest.raises(ConfigError, match="ELSEWHERE is not set"):
        read("volume: ${ELSEWHERE}\n")


def test_the_kind_decides_the_other_keys(read) -> None:
    schema = Named(Variant("kind", {"local": Section({"python": Text()}), "cloud": Section({"region": Text()})}))
    assert read("a: {kind: cloud, region: x}\n", schema) == {"a": {"kind": "cloud", "region": "x"}}
    with pytest.raises(ConfigError, match="allowed keys are kind, python"):
        read("a: {kind: local, region: x}\n", schema)
    with pytest.raises(ConfigError, match="is not one of cloud, local"):
        read("a: {kind: moon}\n", schema)


def test_a_schema_of_plain_types_gives_only_what_is_written(read) -> None:
    schema = {"sets": {"*": {"size": str, "every": (str, type(None)), "keep": int, "folders": list}}}
    assert read("sets:\n  a: {size: 2, every: null, folders: [x, y]}\n", schema) == {
        "sets": {"a": {"size": "2", "every": None, "folders": ["x", "y"]}}
    }
    with pytest.raises(ConfigError, match=r"c\.yaml:2: unknown key 'seize', did you mean 'size'"):
        read("sets:\n  a: {seize: 2}\n", schema)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere.yaml: there is no such file"):
        load(tmp_path / "nowhere.yaml", SCHEMA)
