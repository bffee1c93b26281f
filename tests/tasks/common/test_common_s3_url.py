"""A URL names one bucket and one prefix, letter by letter, or is bad input."""

from __future__ import annotations

import pytest

from tasks.common.program import BadInput
from tasks.common.s3_url import is_s3, place_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://lake", ("lake", "")),
        ("s3://lake/", ("lake", "")),
        ("s3://lake/a", ("lake", "a/")),
        ("s3://lake/a/b/", ("lake", "a/b/")),
        ("s3://lake/archive#draft", ("lake", "archive#draft/")),
        ("s3://lake/a?versionId=1&x=#y", ("lake", "a?versionId=1&x=#y/")),
        ("s3://lake/50% off/a%20b+c", ("lake", "50% off/a%20b+c/")),
        ("s3://lake/ a b ", ("lake", " a b /")),
        ("s3://lake/user@host:22/it's~*", ("lake", "user@host:22/it's~*/")),
        ("s3://lake/...", ("lake", ".../")),
        ("s3://lake/s3://x", None),
        ("s3://my.bucket-1/ä/日本", ("my.bucket-1", "ä/日本/")),
        ("s3://my-ap-abc123-s3alias/tyre", ("my-ap-abc123-s3alias", "tyre/")),
    ],
)
def test_the_url_is_cut_once_at_the_first_slash(url: str, place: tuple[str, str] | None) -> None:
    if place is None:
        with pytest.raises(BadInput, match="an empty part"):
            place_of(url)
    else:
        assert is_s3(url)
        assert place_of(url) == place


@pytest.mark.parametrize("prefix", ["/a", "a//b", "a//", "..", "a/../b", "./a", "a/."])
def test_a_prefix_that_cannot_be_a_folder_is_refused_and_not_bent(prefix: str) -> None:
    with pytest.raises(BadInput, match="an empty part, '.' or '..' between its slashes"):
        place_of(f"s3://lake/{prefix}")


@pytest.mark.parametrize("prefix", ["a\tb", "a\n", "\x00", "a\x7f"])
def test_a_control_character_in_a_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(BadInput, match="a control character"):
        place_of(f"s3://lake/{prefix}")


@pytest.mark.parametrize(
    "bucket", ["", "a", "la#ke", "lake?x", "lake:9000", "key:secret@lake", "..", ".hidden", "la ke", "lake ", "lake%20"]
)
def test_what_is_no_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(BadInput, match="names no bucket; write s3://bucket/prefix") as caught:
        place_of(f"s3://{bucket}/x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:us-east-1:111122223333:accesspoint/my-ap",
        "arn:aws-cn:s3:cn-north-1:111122223333:accesspoint/my-ap/object/tyre",
        "arn:aws:s3-outposts:us-east-1:111122223333:outpost/op-01/accesspoint/my-ap",
        "arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap",
    ],
)
def test_an_arn_asks_for_the_alias(arn: str) -> None:
    for attempt in (lambda: place_of(f"s3://{arn}/tyre"), lambda: is_s3(arn)):
        with pytest.raises(BadInput, match="access point by its ARN; name it by its alias"):
            attempt()


@pytest.mark.parametrize(
    "url",
    ["https://lake.s3.amazonaws.com/x", "S3://lake/x", "s3a://lake/x", "s3n://l/x", "gs://l/x", "s3:/lake/x", "s3:lake"]
    + [" s3://lake/x", "file:///data", "https://user:secret@host/x"],
)
def test_what_is_neither_path_nor_s3_url_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="is neither a path nor an s3://bucket/prefix URL") as caught:
        is_s3(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/data", "data", "./s3", "/mnt/a:b", "s3", "C:data", "/a#b?c"])
def test_a_path_is_a_path(path: str) -> None:
    assert not is_s3(path)
