"""NetApp's DataOps Toolkit, its functions and its command line: everything it does on what is emulated.

Each user does it all: the cluster's administrator, and the account with the least rights that NetApp documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from programs import Programs
from toolkit_support import KEYRING, Toolkit, ToolkitError

pytestmark = pytest.mark.clients
DATASETS = "datasets"


def done(answer: Any) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def s3(system) -> dict[str, str]:
    """Keys of a user of the SVM's S3 server, and a bucket of its own called ``pushed``."""
    with system.client() as api:
        svm = done(api.get("/api/svm/svms"))["records"][0]
        done(api.post("/api/protocols/s3/services", json={"svm": svm, "name": "s3server", "is_http_enabled": True}))
        user = done(api.post(f"/api/protocols/s3/services/{svm['uuid']}/users", json={"name": "scientist"}))
        statement = {"effect": "allow", "actions": ["*"], "principals": ["scientist"], "resources": ["*"]}
        bucket = {"svm": {"name": "svm1"}, "name": "pushed", "size": "1GB", "policy": {"statements": [statement]}}
        done(api.post("/api/protocols/s3/buckets?return_timeout=15", json=bucket))
        return user["records"][0]


@pytest.fixture(scope="module", params=["admin", "least"])
def toolkit(request, system, s3, programs, tmp_path_factory) -> Iterator[Toolkit]:
    """A user with a home of its own, and the volume below which its datasets lie."""
    home = Programs(tmp_path_factory.mktemp(request.param), programs.variables | KEYRING)
    made = Toolkit(home, system, request.param, s3, f"{DATASETS}_{request.param}")
    made(f"create_volume(volume_name='{DATASETS}_{request.param}', volume_size='1GB')")
    yield made
    made.close()


@pytest.fixture
def volume(toolkit, system) -> Iterator[tuple[str, Path]]:
    """A new volume and its directory, as an NFS client would see it."""
    name = f"v_{uuid4().hex[:8]}"
    toolkit(f"create_volume({name!r}, '100MB')")
    yield name, system.namespace / name
    left = {v["Volume Name"] for v in toolkit("list_volumes()")}
    for clone in sorted(left & {f"{name}_clone", f"{name}_clone2", name}, reverse=True):
        toolkit(f"delete_volume({clone!r}, delete_non_clone=True)")


def listed(toolkit: Toolkit, name: str, **options: Any) -> dict[str, Any]:
    found = [v for v in toolkit(f"list_volumes(**{options!r})") if v["Volume Name"] == name]
    assert len(found) == 1, found
    return found[0]


def snapshots(toolkit: Toolkit, volume: str) -> list[str]:
    return [entry["Snapshot Name"] for entry in toolkit(f"list_snapshots({volume!r})")]


def test_a_volume_is_created_found_described_and_deleted(toolkit, system):
    name = f"v_{uuid4().hex[:8]}"
    toolkit(f"create_volume({name!r}, '1GB', unix_permissions='0750', unix_uid='1001', unix_gid='1002')")
    found = listed(toolkit, name)
    assert (found["Size"], found["Type"], found["Clone"]) == ("1.0GB", "flexvol", "no")
    assert found["NFS Mount Target"] == f"{system.host}:/{name}"
    directory = (system.namespace / name).stat()
    assert (directory.st_mode & 0o777, directory.st_uid, directory.st_gid) == (0o750, 1001, 1002)
    assert toolkit(f"get_volume({name!r})")["Export Policy"] == "default"
    toolkit(f"delete_volume({name!r}, delete_non_clone=True)")
    assert toolkit(f"get_volume({name!r})") is None


def test_the_space_of_a_volume_is_known(toolkit, volume):
    name, directory = volume
    (directory / "data").write_bytes(b"x" * 2**20)
    found = listed(toolkit, name, include_space_usage_details=True)
    unknown = [key for key in ("Snap Reserve", "Capacity", "Usage", "Footprint") if found[key] == "Unknown"]
    assert unknown == [] and found["Capacity"].endswith("MB")


def test_a_volume_that_the_toolkit_did_not_clone_is_not_deleted_by_the_way(toolkit, volume):
    with pytest.raises(ToolkitError, match="InvalidVolumeParameterError"):
        toolkit(f"delete_volume({volume[0]!r})")
    assert listed(toolkit, volume[0])


@pytest.mark.parametrize(
    "options", ["tiering_policy='snapshot-only'", "guarantee_space=True", "snapshot_policy='default'"]
)
def test_a_volume_is_created_with_the_options_that_the_toolkit_has(toolkit, options):
    name = f"v_{uuid4().hex[:8]}"
    toolkit(f"create_volume({name!r}, '100MB', {options})")
    toolkit(f"delete_volume({name!r}, delete_non_clone=True)")


def test_a_volume_with_a_snapshot_policy_that_is_not_there_is_refused(toolkit):
    with pytest.raises(ToolkitError, match="APIConnectionError"):
        toolkit("create_volume('v_no_policy', '100MB', snapshot_policy='hourlyish')")
    assert toolkit("get_volume('v_no_policy')") is None


def test_a_snapshot_is_created_listed_restored_and_deleted(toolkit, volume):
    name, directory = volume
    (directory / "model").write_text("good")
    assert toolkit(f"create_snapshot({name!r}, snapshot_name='before')") == "before"
    (directory / "model").write_text("bad")
    (directory / "later").touch()
    assert snapshots(toolkit, name) == ["before"]
    toolkit(f"restore_snapshot({name!r}, 'before')")
    assert (directory / "model").read_text() == "good" and not (directory / "later").exists()
    toolkit(f"delete_snapshot({name!r}, 'before')")
    assert snapshots(toolkit, name) == []


def test_retention_by_count_deletes_the_oldest_of_the_same_name_only(toolkit, volume):
    name, _ = volume
    toolkit(f"create_snapshot({name!r}, snapshot_name='other')")
    for day in range(1, 5):
        toolkit(f"create_snapshot({name!r}, snapshot_name='daily.2026-01-0{day}_000000')")
    newest = toolkit(f"create_snapshot({name!r}, snapshot_name='daily', retention_count=2)")
    assert snapshots(toolkit, name) == ["other", "daily.2026-01-04_000000", newest]


def test_retention_by_days_deletes_what_is_older(toolkit, volume):
    name, _ = volume
    for moment in ("2020-01-01_000000", "2020-06-01_000000"):
        toolkit(f"create_snapshot({name!r}, snapshot_name='daily.{moment}')")
    newest = toolkit(f"create_snapshot({name!r}, snapshot_name='daily', retention_count=7, retention_days=True)")
    assert snapshots(toolkit, name) == [newest]


def test_retention_leaves_a_snapshot_with_an_owner(toolkit, volume, system):
    name, _ = volume
    toolkit(f"create_snapshot({name!r}, snapshot_name='daily.2026-01-01_000000')")
    with system.client() as api:
        uuid = done(api.get("/api/storage/volumes", params={"name": name}))["records"][0]["uuid"]
        kept = done(api.get(f"/api/storage/volumes/{uuid}/snapshots"))["records"][0]["uuid"]
    system.control("PUT", f"/snapshots/{kept}/owners", {"owners": ["snapmirror"]})
    newest = toolkit(f"create_snapshot({name!r}, snapshot_name='daily', retention_count=1)")
    assert snapshots(toolkit, name) == ["daily.2026-01-01_000000", newest]
    system.control("PUT", f"/snapshots/{kept}/owners", {"owners": []})


def test_a_clone_is_writable_and_says_where_it_comes_from(toolkit, volume, system):
    name, directory = volume
    (directory / "data").write_text("of the source")
    clone = f"{name}_clone"
    toolkit(f"clone_volume({clone!r}, {name!r}, unix_uid='1001', unix_gid='1001')")
    found = listed(toolkit, clone)
    assert (found["Clone"], found["Source SVM"], found["Source Volume"]) == ("yes", "svm1", name)
    (system.namespace / clone / "data").write_text("of the clone")
    assert (directory / "data").read_text() == "of the source"
    toolkit(f"delete_volume({clone!r})")
    assert toolkit(f"get_volume({clone!r})") is None


@pytest.mark.parametrize("wanted", ["s1", "s*"])
def test_a_clone_of_a_snapshot_has_its_state(toolkit, volume, system, wanted):
    name, directory = volume
    (directory / "data").write_text("then")
    toolkit(f"create_snapshot({name!r}, snapshot_name='s1')")
    (directory / "data").write_text("now")
    toolkit(f"clone_volume('{name}_clone', {name!r}, source_snapshot_name={wanted!r})")
    assert (system.namespace / f"{name}_clone" / "data").read_text() == "then"
    assert listed(toolkit, f"{name}_clone")["Source Snapshot"] == "s1"


def test_a_clone_is_refreshed_to_what_the_source_is_now(toolkit, volume, system):
    name, directory = volume
    (directory / "data").write_text("old")
    toolkit(f"clone_volume('{name}_clone', {name!r}, snapshot_policy='default-1weekly')")
    (directory / "data").write_text("new")
    with pytest.raises(ToolkitError, match="InvalidVolumeParameterError"):
        toolkit(f"clone_volume('{name}_clone', {name!r})")
    toolkit(f"clone_volume('{name}_clone', {name!r}, refresh=True)")
    assert (system.namespace / f"{name}_clone" / "data").read_text() == "new"
    with system.client() as api:
        record = done(api.get("/api/storage/volumes", params={"name": f"{name}_clone", "fields": "snapshot_policy"}))
    assert record["records"][0]["snapshot_policy"]["name"] == "default-1weekly", "the policy is kept"


def test_a_clone_is_exported_to_hosts_of_its_own(toolkit, volume, system):
    name, _ = volume
    toolkit(f"clone_volume('{name}_clone', {name!r}, export_hosts='10.0.0.1:10.0.1.0/24')")
    policy = toolkit(f"get_volume('{name}_clone')")["Export Policy"]
    with system.client() as api:
        query = {"name": policy, "fields": "rules"}
        rules = done(api.get("/api/protocols/nfs/export-policies", params=query))["records"][0]["rules"]
    assert [client["match"] for rule in rules for client in rule["clients"]] == ["10.0.0.1", "10.0.1.0/24"]


def test_a_clone_that_is_split_belongs_to_itself(toolkit, volume):
    name, _ = volume
    toolkit(f"clone_volume('{name}_clone', {name!r}, split=True)")
    assert listed(toolkit, f"{name}_clone")["Clone"] == "no"


def test_a_dataset_is_a_folder_below_the_root_volume(toolkit, system):
    name = f"d_{uuid4().hex[:8]}"
    toolkit(f"(dataset := Dataset({name!r}, max_size='100MB')) and None")
    folder = system.namespace / f"{DATASETS}_{toolkit.user}" / name
    assert toolkit("dataset.local_file_path") == str(folder)
    (folder / "train").mkdir()
    (folder / "train" / "a.csv").write_text("1,2\n")
    assert [(file["filename"], file["size"]) for file in toolkit("dataset.get_files()")] == [("a.csv", 4)]
    assert toolkit(f"Dataset({name!r}).max_size") == "100.0MB"
    assert name in toolkit("[dataset.name for dataset in get_datasets()]")
    assert toolkit("dataset.snapshot('v1')") == "v1"
    assert [entry["name"] for entry in toolkit("dataset.get_snapshots()")] == ["v1"]
    toolkit(f"(copy := dataset.clone('{name}_copy')) and None")
    assert toolkit("[copy.is_clone, copy.source_dataset_name]") == [True, name]
    assert (folder.with_name(f"{name}_copy") / "train" / "a.csv").read_text() == "1,2\n"
    toolkit("copy.delete()")
    toolkit("dataset.delete()")
    assert not folder.exists() and name not in toolkit("[dataset.name for dataset in get_datasets()]")


def test_a_volume_elsewhere_is_no_dataset(toolkit, volume):
    with pytest.raises(ToolkitError, match="not managed by the Dataset Manager"):
        toolkit(f"Dataset({volume[0]!r}, max_size='100MB')")


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_directory_is_pushed_to_s3_and_pulled_again(toolkit, tmp_path):
    source, target, prefix = tmp_path / "source", tmp_path / "target", f"{toolkit.user}/"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "a b+c.txt").write_text("small")
    (source / "deep" / "er" / "large").write_bytes(bytes(range(256)) * 2**16)  # 16 MiB, in parts
    toolkit(f"push_directory_to_s3('pushed', {str(source)!r}, s3_object_key_prefix={prefix!r})")
    # Two threads of the toolkit that make one folder at the same moment lose a file, without a word.
    (target / toolkit.user / "deep" / "er").mkdir(parents=True)
    toolkit(f"pull_bucket_from_s3('pushed', {str(target)!r}, s3_object_key_prefix={prefix!r})")
    assert digests(target / toolkit.user) == digests(source)


def test_a_file_is_pushed_with_metadata_and_pulled_under_another_name(toolkit, tmp_path):
    source, target = tmp_path / "model.bin", tmp_path / "pulled.bin"
    source.write_bytes(b"weights")
    key, extra = f"{toolkit.user}.bin", '{"Metadata": {"epoch": "3"}}'
    toolkit(f"push_file_to_s3('pushed', {str(source)!r}, s3_object_key={key!r}, s3_extra_args={extra!r})")
    toolkit(f"pull_object_from_s3('pushed', {key!r}, local_file={str(target)!r})")
    assert target.read_bytes() == b"weights"


def test_the_command_line_does_the_same(toolkit, system):
    name = f"v_{uuid4().hex[:8]}"
    assert "Volume created successfully" in toolkit.cli("create", "volume", "-n", name, "-s", "100MB")
    toolkit.cli("create", "snapshot", "-v", name, "-n", "daily", "-r", "7d")
    (snapshot,) = snapshots(toolkit, name)
    toolkit.cli("clone", "volume", "-n", f"{name}_clone", "-v", name, "-s", snapshot)
    table = toolkit.cli("list", "volumes", "--include-space-usage-details")
    rows = [line for line in table.splitlines() if name in line]
    assert len(rows) == 2 and not any("Unknown" in row for row in rows)
    toolkit(f"delete_volume('{name}_clone')")
    toolkit.cli("restore", "snapshot", "-v", name, "-n", snapshot, "-f")
    toolkit.cli("delete", "volume", "-n", name, "-f", "--delete-non-clone")
    assert toolkit(f"get_volume({name!r})") is None


def test_a_mirror_is_made_initialised_listed_and_brought_up_to_date(toolkit, volume, system):
    name, path = volume
    (path / "one").write_text("one")
    with system.client() as api:
        copy = {"name": f"{name}_copy", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "type": "dp"}
        copy |= {"size": "100MB", "nas": {"path": f"/{name}_copy"}}
        done(api.post("/api/storage/volumes?return_timeout=15", json=copy))
        toolkit(f"create_snap_mirror_relationship('svm1', {name!r}, '{name}_copy', action='initialize')")
        uuid = done(api.get(f"/api/snapmirror/relationships?destination.path=svm1:{name}_copy"))["records"][0]["uuid"]
        one = f"/api/snapmirror/relationships/{uuid}"
        for _ in range(100):
            if done(api.get(one))["state"] == "snapmirrored":
                break
        assert uuid in str(toolkit("list_snap_mirror_relationships()"))
        (path / "two").write_text("two")
        toolkit(f"sync_snap_mirror_relationship(uuid={uuid!r}, wait_until_complete=True)")
        assert sorted(p.name for p in (system.namespace / f"{name}_copy").iterdir() if p.is_file()) == ["one", "two"]
        done(api.delete(f"{one}?return_timeout=15"))
        left = done(api.get(f"/api/storage/volumes?name={name}_copy"))["records"][0]["uuid"]
        done(api.delete(f"/api/storage/volumes/{left}?return_timeout=15"))


def test_a_cache_is_made_filled_and_listed(toolkit, system):
    name = f"v_{uuid4().hex[:8]}"
    toolkit(f"create_volume({name!r}, '100MB')")
    (system.namespace / name / "one").write_text("first")
    toolkit(f"create_flexcache({name!r}, 'svm1', '{name}_cache', flexcache_size='50MB')")
    toolkit(f"prepopulate_flex_cache('{name}_cache', ['/'])")
    assert (system.namespace / f"{name}_cache" / "one").read_text() == "first"
    (found,) = [each for each in toolkit("list_flexcaches()") if each["FlexCache Name"] == f"{name}_cache"]
    assert (found["Origin Volume"], found["Origin SVM"]) == (name, "svm1")


def test_what_is_not_emulated_is_said_by_the_toolkit(toolkit):
    with pytest.raises(ToolkitError, match="API not found"):
        toolkit("list_cifs_shares()")


@pytest.mark.parametrize("expression", ["list_qtrees()", "list_snap_mirror_relationships()"])
def test_what_there_may_be_none_of_is_listed_all_the_same(toolkit, expression):
    assert isinstance(toolkit(expression), list)


def test_a_volume_for_a_mirror_is_made_as_such(toolkit, system):
    name = f"v_{uuid4().hex[:8]}"
    toolkit(f"create_volume({name!r}, '100MB', vol_dp=True)")
    with system.client() as api:
        (found,) = done(api.get(f"/api/storage/volumes?name={name}&fields=type"))["records"]
    assert found["type"] == "dp"


def test_a_name_that_no_volume_can_have_is_refused_and_nothing_made(toolkit):
    with pytest.raises(ToolkitError, match="APIConnectionError"):
        toolkit("create_volume('1odd', '100MB')")
    assert toolkit("get_volume('1odd')") is None


def test_a_flexgroup_is_made_and_removed(toolkit):
    name = f"v_{uuid4().hex[:8]}"
    toolkit(f"create_volume({name!r}, '800MB', volume_type='flexgroup')")
    assert toolkit(f"get_volume({name!r})")["Volume Name"] == name
    toolkit(f"delete_volume({name!r}, delete_non_clone=True)")
    assert toolkit(f"get_volume({name!r})") is None
