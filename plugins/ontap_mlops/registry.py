"""The datasets: what ``datasets.yaml`` says, or a value that a DAG gives itself, as checked objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from ontap_mlops import names, settings
from ontap_mlops.config_entries import Catalog, Each
from ontap_mlops.config_file import ConfigError, Section, Size, Texts, bytes_of, meant, shaped

DEFAULT_CONN_ID = "ontap_default"

_PRESETS = ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")


def _schedule(text: str) -> str:
    if text in _PRESETS:
        return text
    from croniter import croniter

    if text.startswith("@") or not croniter.is_valid(text):
        near = meant(text, _PRESETS)
        raise ValueError(
            f"{text!r} is no schedule{near}; give one of {', '.join(_PRESETS)}, or cron such as '30 2 * * *'"
        )
    return text


def _volume(name: str) -> str:
    names.bucket(name)
    return name


NAME = shaped(r"[a-z][a-z0-9_]{0,39}", "up to 40 of a-z, 0-9 and _, and a letter first")
Name = Annotated[str, NAME]
Source = Annotated[
    str,
    shaped(r"s3://[A-Za-z0-9][A-Za-z0-9._-]+/.*", "give it like s3://bucket/prefix/"),
    shaped(r"s3://[^/]+/(?!.*//)(?!/)(?!(?:.*/)?\.\.?(?:/|$)).*", "no part of a prefix is empty, '.' or '..'"),
]
Volume = Annotated[
    str,
    shaped(r"[A-Za-z_][A-Za-z0-9_]{0,202}", "up to 203 of A-Z, a-z, 0-9 and _, not starting with a digit"),
    AfterValidator(_volume),
]
Schedule = Annotated[str, AfterValidator(_schedule)]


class Check(Section):
    """What data must satisfy before it may become a version.

    ``minimum_files`` counts in each of ``folders``; ``broken_share`` of all files may be broken, from 0 to 1.
    """

    folders: Texts = ()
    minimum_files: Annotated[int, Field(ge=0)] = 1
    broken_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    allow_personal_data: bool = False


class Keep(Section):
    """Versions are kept while they are among the newest ``versions`` or younger than ``days``.

    For ``evidence_days`` nobody can remove what a promoted model was made of; None is ``[ontap_mlops]
    lock_evidence_days``, 0 locks nothing.
    """

    versions: Annotated[int, Field(ge=1)] = 30
    days: Annotated[int, Field(ge=0)] = 365
    evidence_days: Annotated[int, Field(ge=0)] | None = None


class Watch(Section):
    """Which snapshots of the volume that no task here made become versions, with an event of the dataset's asset.

    Those with a version's own comment, from another Airflow for instance, always do; ``adopt`` are patterns of names,
    and ``labels`` SnapMirror labels, of snapshots that a person, a policy or Trident makes. ``every_s`` is the time
    between two looks, which all datasets of one connection share.
    """

    adopt: Texts = ()
    labels: Texts = ()
    every_s: Annotated[float, Field(ge=5)] = 60.0


def _watch(value: Any) -> Any:
    """``true`` is a watch with nothing to say, ``false`` is none."""
    words: dict[str, Any] = {"true": {}, "false": None}
    return words.get(str(value).lower(), value) if isinstance(value, bool | str) else value


class Entry(Section):
    """One entry of ``datasets.yaml``, below its name.

    ``svm`` empty means the SVM of the connection. ``schedule`` is a cron expression or preset; None means that ingest
    runs only when triggered.
    """

    source: Source
    volume: Volume
    svm: str = ""
    description: str = ""
    source_conn_id: str = "aws_default"
    ontap_conn_id: str = DEFAULT_CONN_ID
    size: Size = "10GB"
    schedule: Schedule | None = None
    check: Check = Check()
    keep: Keep = Keep()
    watch: Annotated[Watch | None, BeforeValidator(_watch)] = None

    @property
    def adopted(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Patterns of names, and labels, of the snapshots of others that are versions too."""
        return (self.watch.adopt, self.watch.labels) if self.watch else ((), ())

    @property
    def size_bytes(self) -> int:
        return bytes_of(self.size)

    @property
    def evidence_days(self) -> int:
        """Days for which the evidence of its promoted models is locked; 0 locks nothing."""
        return settings.lock_evidence_days() if self.keep.evidence_days is None else self.keep.evidence_days


class Dataset(Entry):
    name: Name


def _one_volume_once(path: Path, read: Each[Entry]) -> None:
    """Of two entries with one volume, or one bucket, on the same SVM, the later one is wrong."""
    volumes: dict[tuple[str, ...], str] = {}
    for name, entry in list(read.good.items()):
        for what, called in (("volume", entry.volume), ("S3 bucket", names.bucket(entry.volume))):
            first = volumes.setdefault((entry.ontap_conn_id, entry.svm, what, called), name)
            if first != name:
                del read.good[name]
                read.wrong[name] = ConfigError(
                    f"{path}:{read.lines[name]}: volume {entry.volume!r} has the same {what}, {called!r}, as that of "
                    f"dataset {first!r}; give it another name (in datasets.{name}.volume)"
                )
                break


_FILE = Catalog("datasets.yaml", "datasets", "dataset", Entry, Dataset, NAME, check=_one_volume_once)


def datasets(path: Path | None = None) -> dict[str, Dataset]:
    """Every dataset by name. Raises ConfigError with file, line and the allowed keys where any entry is wrong."""
    return _FILE.all(path)


def usable(path: Path | None = None) -> dict[str, Dataset]:
    """Every dataset whose entry is right: a mistake in one takes no other from a DAG file that asks for these.

    Raises ConfigError for a file that cannot be read as a whole.
    """
    return _FILE.usable(path)


def find(name: str) -> Dataset | None:
    """The dataset of this name; None when it is not configured or its entry is wrong, so that its DAG can be absent."""
    return usable().get(name)


def dataset(name: str) -> Dataset:
    """Raises ConfigError where its entry is wrong, and ValueError, naming the known ones, where there is none."""
    return _FILE.one(name)


def as_dataset(value: str | Dataset | Mapping[str, Any]) -> Dataset:
    """A dataset by name, or by value: an object, or a mapping with the keys of ``datasets.yaml`` and ``name``."""
    return _FILE.of(value)


def as_argument(value: str | Dataset | Mapping[str, Any]) -> str | dict[str, Any]:
    """The same as an operator keeps it, so that Airflow can store and template it: the name, or plain values."""
    return _FILE.argument(value)


def homes() -> list[tuple[str, str]]:
    """(connection, SVM) of every dataset, each once, sorted; an empty SVM is the connection's own."""
    return sorted({(entry.ontap_conn_id, entry.svm) for entry in usable().values()})


def keys_suffix(conn_id: str, svm: str) -> str:
    """What tells the S3 keys of this SVM from those of others: nothing for the first one of the default connection."""
    first = next((home for home in homes() if home[0] == DEFAULT_CONN_ID), None)
    if (conn_id, svm) == first:
        return ""
    return "".join(f"_{part}" for part in (conn_id if conn_id != DEFAULT_CONN_ID else "", svm) if part)
