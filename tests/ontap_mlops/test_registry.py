import json
from pathlib import Path

import pytest

from ontap_mlops import registry
from ontap_mlops.config_file import ConfigError

ENTRY = """datasets:
  tyres:
    source: s3://lake/tyre/
    svm: svm1
    volume: tyres
    size: 20GB
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "datasets.yaml"
    path.write_text(text)
    return path


def test_the_shipped_registry_reads():
    assert registry.datasets()["tyre_images"].check.folders == ("good", "defective")


def test_an_entry_gets_its_defaults(tmp_path):
    tyres = registry.datasets(write(tmp_path, ENTRY))["tyres"]
    assert (tyres.size_bytes, tyres.schedule, tyres.keep.versions) == (20 * 1024**3, None, 30)
    assert (tyres.svm, tyres.ontap_conn_id) == ("svm1", "ontap_default")


def test_without_an_svm_the_connections_own_counts(tmp_path):
    assert registry.datasets(write(tmp_path, ENTRY.replace("    svm: svm1\n", "")))["tyres"].svm == ""


def test_a_dataset_is_found_or_not(tmp_path, monkeypatch):
    write(tmp_path, ENTRY)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    assert registry.find("tyres") == registry.dataset("tyres")
    assert registry.find("cats") is None


def test_a_dataset_by_value_is_the_same_as_one_by_name(tmp_path, monkeypatch):
    write(tmp_path, ENTRY)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    value = {"name": "tyres", "source": "s3://lake/tyre/", "svm": "svm1", "volume": "tyres", "size": "20GB"}
    by_name = registry.as_dataset("tyres")
    assert registry.as_dataset(value) == registry.as_dataset(by_name) == by_name
    assert registry.as_dataset(registry.as_argument(by_name)) == by_name
    assert json.loads(json.dumps(registry.as_argument(by_name)))["check"]["folders"] == []


def test_a_typo_in_a_dataset_by_value_is_answered_with_the_allowed_keys():
    value = {"name": "tyres", "source": "s3://lake/tyre/", "volum": "tyres"}
    with pytest.raises(ConfigError, match="dataset given by value: unknown key 'volum', did you mean 'volume'.*name"):
        registry.as_dataset(value)


@pytest.mark.parametrize(
    ("wrong", "line", "sentence"),
    [
        (ENTRY.replace("volume:", "volum:"), 5, "unknown key 'volum', did you mean 'volume'"),
        (ENTRY.replace("20GB", "20 gigs"), 6, "give it like 500MB"),
        (ENTRY.replace("s3://lake/tyre/", "/mnt/lake"), 3, "s3://bucket/prefix/"),
        (ENTRY.replace("    volume: tyres\n", ""), 2, "'volume' is missing"),
        (ENTRY.replace("  tyres:", "  Tyre-Images:"), 2, "Tyre-Images"),
    ],
)
def test_a_typo_is_answered_with_file_and_line(tmp_path, wrong, line, sentence):
    path = write(tmp_path, wrong)
    with pytest.raises(ConfigError) as error:
        registry.datasets(path)
    assert str(error.value).startswith(f"{path}:{line}:")
    assert sentence in str(error.value)


OTHER = """  cats:
    source: s3://lake/cats/
    volume: cats
"""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("    volum: tyres\n", "unknown key 'volum'"),
        ("    volume: tyres\n    volume: tyres2\n", "the key 'volume' is given twice"),
        ("    volume: ${NO_SUCH_VARIABLE}\n", "environment variable NO_SUCH_VARIABLE is not set"),
        ("    volume: tyres\n    check: {minimum_files: many}\n", "'many' is not a whole number"),
        ("    volume: tyres\n    schedule: '@dayly'\n", "'@dayly' is no schedule, did you mean '@daily'?"),
        ("    volume: [tyres]\n", "here a text is needed, not a list"),
    ],
)
def test_a_mistake_in_one_entry_takes_no_other_with_it(tmp_path, monkeypatch, wrong, sentence):
    path = write(tmp_path, ENTRY.replace("    volume: tyres\n", wrong) + OTHER)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    assert set(registry.usable(path)) == {"cats"}
    assert registry.find("tyres") is None
    assert registry.homes() == [("ontap_default", "")]
    for strict in (lambda: registry.datasets(path), lambda: registry.dataset("tyres")):
        with pytest.raises(ConfigError) as error:
            strict()
        assert str(error.value).startswith(f"{path}:")
        assert sentence in str(error.value)
        assert "datasets.tyres" in str(error.value)


@pytest.mark.parametrize("text", ["", "datasets: [", "data: {}", "datasets: {}\nmore: 1", "- a", "datasets: [a]"])
def test_a_file_that_cannot_be_read_as_a_whole_is_an_error_for_everybody(tmp_path, text):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=f"^{path}:1|^{path}:2"):
        registry.usable(path)


def test_a_name_given_twice_is_nobodys(tmp_path):
    path = write(tmp_path, ENTRY + OTHER + OTHER.replace("cats/", "dogs/"))
    assert set(registry.usable(path)) == {"tyres"}
    with pytest.raises(ConfigError, match=f"^{path}:10: the key 'cats' is given twice"):
        registry.datasets(path)


@pytest.mark.parametrize(
    "schedule", ["@daily", "@quarterly", "@once", "@continuous", "30 2 * * *", "*/5 * * * 1-5", "0 0 L * *"]
)
def test_a_schedule_that_airflow_knows_is_right(tmp_path, schedule):
    from airflow.sdk import DAG

    path = write(tmp_path, f"{ENTRY}    schedule: '{schedule}'\n")
    assert DAG("d", schedule=registry.datasets(path)["tyres"].schedule, max_active_runs=1).timetable


@pytest.mark.parametrize(
    "schedule", ["@dayly", "@every 5m", "daily", "5 minutes", "61 * * * *", "* * * *", "@", "'@daily '"]
)
def test_a_schedule_that_airflow_does_not_know_is_answered_when_the_file_is_read(tmp_path, schedule):
    path = write(tmp_path, f'{ENTRY}    schedule: "{schedule}"\n')
    with pytest.raises(ConfigError, match=f"^{path}:7: .* is no schedule.*in datasets.tyres.schedule"):
        registry.datasets(path)


def entry(name: str, volume: str, more: str = "") -> str:
    return f"  {name}: {{source: 's3://lake/{name}/', volume: {volume}{more}}}\n"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("clicks", "clicks", "volume, 'clicks'"),
        ("clicks_2026", "Clicks__2026", "S3 bucket, 'clicks-2026'"),
        ("clicks_2026", "_clicks_2026_", "S3 bucket, 'clicks-2026'"),
    ],
)
def test_two_datasets_share_neither_volume_nor_bucket(tmp_path, first, second, same):
    path = write(tmp_path, "datasets:\n" + entry("a", first) + entry("b", second))
    assert set(registry.usable(path)) == {"a"}
    with pytest.raises(ConfigError, match=f"^{path}:3: volume '{second}' has the same {same}, as that of dataset 'a'"):
        registry.datasets(path)


def test_on_another_svm_or_another_ontap_the_same_names_are_others(tmp_path):
    more = entry("b", "clicks", ", svm: svm2") + entry("c", "clicks", ", ontap_conn_id: ontap_west")
    assert set(registry.datasets(write(tmp_path, "datasets:\n" + entry("a", "clicks") + more))) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("volume", "sentence"),
    [
        ("v" * 74, "which is not 3 to 63 characters long"),
        ("v" * 64, "which is not 3 to 63 characters long"),
        ("ab", "which is not 3 to 63 characters long"),
        ("a__", "which is not 3 to 63 characters long"),
        ("v" * 204, "up to 203 of A-Z, a-z, 0-9 and _"),
        ("übung", "up to 203 of A-Z, a-z, 0-9 and _"),
        ("tyre-images", "up to 203 of A-Z, a-z, 0-9 and _"),
        ("1tyres", "not starting with a digit"),
    ],
)
def test_a_volume_that_gives_no_volume_or_no_bucket_is_refused_when_the_file_is_read(tmp_path, volume, sentence):
    path = write(tmp_path, ENTRY.replace("volume: tyres", f"volume: {volume}"))
    with pytest.raises(ConfigError, match=f"^{path}:5: .*in datasets.tyres.volume") as error:
        registry.datasets(path)
    assert sentence in str(error.value)


@pytest.mark.parametrize("volume", ["v" * 63, "abc", "Clicks_2026", "_x_y_z"])
def test_a_volume_that_gives_both_is_right(tmp_path, volume):
    assert registry.datasets(write(tmp_path, ENTRY.replace("volume: tyres", f"volume: {volume}")))["tyres"]


@pytest.mark.parametrize("prefix", ["", "a", "a#b/", "a b/", "a?b=%20/", "a.b/..c/"])
def test_a_source_is_a_bucket_and_any_prefix(tmp_path, prefix):
    path = write(tmp_path, ENTRY.replace("source: s3://lake/tyre/", f'source: "s3://lake/{prefix}"'))
    assert registry.datasets(path)["tyres"].source == f"s3://lake/{prefix}"


@pytest.mark.parametrize(
    "source", ["s3://lake//a", "s3://lake/a//b", "s3://lake/../a", "s3://lake/a/.", "s3://k:s@lake/", "s3:///a"]
)
def test_a_source_that_names_no_folder_of_a_bucket_is_refused(tmp_path, source):
    with pytest.raises(ConfigError, match="does not fit"):
        registry.datasets(write(tmp_path, ENTRY.replace("s3://lake/tyre/", source)))


def test_an_unknown_dataset_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="it has .*tyre_images"):
        registry.dataset("tires")


@pytest.mark.parametrize(
    ("text", "adopt"),
    [("true", ()), ("{}", ()), ("{adopt: weekly.*}", ("weekly.*",)), ("{adopt: [a*, b]}", ("a*", "b"))],
)
def test_a_watch_is_said_in_a_word_or_with_what_is_adopted(tmp_path, text, adopt):
    watch = registry.datasets(write(tmp_path, f"{ENTRY}    watch: {text}\n"))["tyres"].watch
    assert watch is not None and (watch.adopt, watch.labels, watch.every_s) == (adopt, (), 60)


@pytest.mark.parametrize("text", ["", "    watch: false\n", "    watch: null\n"])
def test_a_dataset_is_not_watched_unless_its_entry_says_so(tmp_path, text):
    assert registry.datasets(write(tmp_path, ENTRY + text))["tyres"].watch is None


@pytest.mark.parametrize(
    ("text", "said"),
    [("{every_s: 1}", "every_s"), ("{adpot: x}", "did you mean 'adopt'"), ("maybe", "here a mapping|watch")],
)
def test_a_wrong_watch_is_answered_with_its_line(tmp_path, text, said):
    with pytest.raises(ConfigError, match=rf"datasets.yaml:7: .*({said})"):
        registry.datasets(write(tmp_path, f"{ENTRY}    watch: {text}\n"))
