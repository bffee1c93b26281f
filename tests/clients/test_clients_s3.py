"""awscli, rclone, s3fs, obstore, PyArrow and MinIO's client do their usual work on both types of bucket."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from s3_clients_support import KINDS, provision, rclone_settings

pytestmark = pytest.mark.clients

SESSIONS = Path(__file__).with_name("s3_sessions")
RCLONE = Path(sys.executable).with_name("rclone")
COMMON = ("upload_small", "upload_large", "download", "ranges", "listing", "copy", "presigned_url", "delete")
STEPS = {
    "minio": COMMON,
    "obstore": (*COMMON, "conditional_create", "conditional_update", "copy_unless_there"),
    "s3fs": (*COMMON, "conditional_create", "append"),
    "pyarrow": tuple(step for step in COMMON if step != "presigned_url"),
}
OURS = ("pyarrow",)
"""Clients that the product has in its own environment."""
# What ONTAP has for buckets of type s3 only. A client is told at once, by a code it can show, and does not try again.
NOT_ON_NAS = ("copy", "conditional_create", "conditional_update", "copy_unless_there", "append")
TREE = {"a.txt": b"a", "deep/er/b.bin": bytes(range(256)) * 100, "large": b"0123456789abcdef" * (9 << 16), "ü ö/c": b""}


@pytest.fixture(scope="module")
def s3(system, programs):
    """The clients' programs with the settings of an S3 user."""
    environment = provision(system)
    settings = programs.home / ".aws" / "config"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("[default]\ns3 =\n    signature_version = s3v4\n")
    return replace(programs, variables=programs.variables | environment | rclone_settings(environment))


@pytest.fixture(scope="module")
def outcomes(s3):
    """A function that returns what became of each step of a client on a type of bucket; each session runs once."""
    known: dict[tuple[str, str], dict[str, str]] = {}

    def outcome(client: str, kind: str) -> dict[str, str]:
        if (client, kind) not in known:
            python = sys.executable if client in OURS else "python"
            done = s3.run(python, SESSIONS / f"with_{client}.py", BUCKET=f"bucket-{kind}")
            assert done.returncode == 0, done.stderr
            known[client, kind] = json.loads(done.stdout)
        return known[client, kind]

    return outcome


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("client", "step"), [(client, step) for client, steps in STEPS.items() for step in steps])
def test_a_library_does_what_the_type_of_bucket_has(outcomes, client, step, kind):
    outcome = outcomes(client, kind)[step]
    if kind == "nas" and step in NOT_ON_NAS:
        assert "not supported on a NAS bucket" in outcome or "NotImplemented" in outcome, outcome
    else:
        assert outcome == "done", outcome


@pytest.fixture
def tree(tmp_path) -> Path:
    for name, body in TREE.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        # The aws command sends again what is not older than the object, whose time has no fraction of a second.
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 3600))
    return tmp_path / "tree"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def aws(s3, *arguments: str | Path) -> str:
    done = s3.run("aws", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_aws_s3_sync_moves_a_tree_both_ways_and_nothing_the_second_time(s3, tree, tmp_path, kind):
    there = f"s3://bucket-{kind}/aws-sync"
    assert aws(s3, "s3", "sync", tree, there).count("upload:") == len(TREE)
    assert aws(s3, "s3", "sync", tree, there) == ""
    assert aws(s3, "s3", "sync", there, tmp_path / "back").count("download:") == len(TREE)
    assert contents(tmp_path / "back") == TREE
    assert aws(s3, "s3", "sync", there, tmp_path / "back") == ""
    (tree / "a.txt").unlink()
    assert "delete: " in aws(s3, "s3", "sync", "--delete", tree, there)
    assert aws(s3, "s3", "ls", f"{there}/").split()[:2] == ["PRE", "deep/"]
    aws(s3, "s3", "rm", "--recursive", there)
    assert s3.run("aws", "s3", "ls", there).stdout == ""


@pytest.mark.parametrize("kind", KINDS)
def test_aws_s3_presigns_what_anybody_can_then_read(s3, kind):
    s3.run("aws", "s3", "cp", "-", f"s3://bucket-{kind}/aws-signed", stdin="signed")
    url = aws(s3, "s3", "presign", f"s3://bucket-{kind}/aws-signed").strip()
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"signed"


def test_aws_s3_copies_a_large_object_within_a_bucket_part_by_part(s3, tree):
    aws(s3, "s3", "cp", tree / "large", "s3://bucket-s3/aws-large")
    aws(s3, "s3", "cp", "s3://bucket-s3/aws-large", "s3://bucket-s3/aws-copied")
    aws(s3, "s3", "mv", "s3://bucket-s3/aws-copied", "s3://bucket-s3/aws-moved")
    found = json.loads(aws(s3, "s3api", "head-object", "--bucket", "bucket-s3", "--key", "aws-moved"))
    assert found["ContentLength"] == len(TREE["large"]) and found["ETag"].endswith('-2"')


def test_aws_s3api_creates_only_what_is_not_there(s3, tree):
    put = ("s3api", "put-object", "--bucket", "bucket-s3", "--key", "aws-lock", "--body", tree / "a.txt")
    aws(s3, *put, "--if-none-match", "*")
    again = s3.run("aws", *put, "--if-none-match", "*")
    assert again.returncode != 0 and "PreconditionFailed" in again.stderr


def test_aws_s3_makes_and_removes_a_bucket(s3):
    aws(s3, "s3", "mb", "s3://made-by-aws")
    assert "made-by-aws" in aws(s3, "s3", "ls")
    aws(s3, "s3", "rb", "s3://made-by-aws")
    assert "made-by-aws" not in aws(s3, "s3", "ls")


@pytest.mark.skipif(not RCLONE.exists(), reason="rclone is not installed")
@pytest.mark.parametrize("kind", KINDS)
def test_rclone_sync_moves_a_tree_both_ways_and_nothing_the_second_time(s3, tree, tmp_path, kind):
    there = f"emulator:bucket-{kind}/rclone"

    def rclone(*arguments: str | Path) -> str:
        done = s3.run(str(RCLONE), "--verbose", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr

    os.utime(tree / "a.txt", (1_700_000_000, 1_700_000_000))
    assert rclone("sync", tree, there).count("Copied (new)") == len(TREE)
    assert "Copied" not in rclone("sync", tree, there)
    rclone("check", "--download", tree, there)
    rclone("check", tree, there)
    rclone("sync", there, tmp_path / "back")
    assert contents(tmp_path / "back") == TREE
    assert (tmp_path / "back" / "a.txt").stat().st_mtime == 1_700_000_000
    assert "Copied" not in rclone("sync", there, tmp_path / "back")
    (tree / "deep" / "er" / "b.bin").unlink()
    assert "Deleted" in rclone("sync", tree, there)
    rclone("purge", there)
    assert s3.run(str(RCLONE), "lsf", there).stdout == ""
