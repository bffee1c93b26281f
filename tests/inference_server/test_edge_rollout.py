"""A model version goes to many edge sites in stages, is checked where it is read, and comes back when it does harm."""

from __future__ import annotations

import pytest

from ontap_mlops.hooks.inference import InferenceHook
from ontap_mlops.ontap import volumes
from tests.inference_server.edge_world import EdgeWorld
from tests.inference_server.models import ONES_SCORE, ones
from tests.ontap_mlops.conftest import there  # noqa: F401
from tests.serving import NO_TRITON, TRITON_VENV, TritonServer, connection


@pytest.fixture
def edge_world(ontap, there, tmp_path, monkeypatch, mlflow_connection):  # noqa: F811
    worlds = []

    def made(count: int, **more) -> EdgeWorld:
        worlds.append(EdgeWorld(ontap, there, tmp_path, monkeypatch, count, **more))
        return worlds[-1]

    yield made
    for each in worlds:
        each.close()


def everywhere(world: EdgeWorld, version: int | None) -> dict[str, int | None]:
    return dict.fromkeys(world.sites, version)


def test_a_version_goes_to_every_site_by_its_way_and_a_second_run_changes_nothing(edge_world):
    world = edge_world(3)
    version = world.publish(1)
    play = world.roll_out()
    assert play.failures == {} and world.serving() == everywhere(world, version.version)
    copied = [each["copied"] for group in ("first", "tenth", "rest") for each in outcomes(play, group, "verify")]
    assert copied == [0, 0, 2], "a cache and a mirror are read without a copy; only the site of way sync has one"
    for site in world.sites:
        assert (world.at(site) / "triton" / world.model / "config.pbtxt").is_file(), "a restart serves it too"
    loads = [server.loads for server in world.servers.values()]
    again = world.roll_out()
    assert again.failures == {} and again.result("first_sites") == []
    assert [server.loads for server in world.servers.values()] == loads


def outcomes(play, group, step):
    return [each for _, each in sorted(play.results.get((f"{group}.{step}", "return_value"), {}).items())]


def test_a_roll_out_to_20_sites_with_one_bad_site_stops_says_why_and_puts_back(edge_world):
    world = edge_world(20)
    first = world.publish(1)
    assert world.roll_out().failures == {}
    second = world.publish(2)
    bad = "edge_2"  # in the second stage, of way sync: somebody has put other files there
    folder = world.at(bad) / "triton" / world.model / str(second.version)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"not this model")
    (folder / "config.json").write_text("{}")

    play = world.roll_out()
    assert "Stage 'tenth' is not healthy: of 2 sites 1 serve version 2" in play.failed, play.failed
    assert f"{bad}: Version 2 of {world.model}" in play.failed and "not served" in play.failed
    assert ("rest.serve", "return_value") not in play.results, "no site of the third stage was touched"
    assert [item["site"] for item in play.result("changed")] == ["edge_0", "edge_1"]
    assert world.serving() == everywhere(world, first.version), "what served before serves"
    assert {state.version for state in world.states().values()} == {first.version}

    (folder / "model.onnx").unlink()
    (folder / "config.json").unlink()
    folder.rmdir()
    assert world.roll_out().failures == {}
    assert world.serving() == everywhere(world, second.version)


def test_one_action_puts_back_what_each_site_served_before(edge_world):
    world = edge_world(4)
    first = world.publish(1)
    world.roll_out(groups=["others"])
    second = world.publish(2)
    world.roll_out()
    assert world.serving() == everywhere(world, second.version)
    play = world.roll_out(what="put_back")
    assert play.failures == {}
    assert world.serving() == {**everywhere(world, first.version), "edge_0": None}, "edge_0 served nothing before"
    again = world.roll_out(what="put_back")
    assert "nothing to put back" in again.failures["version"]
    assert world.serving() == {**everywhere(world, first.version), "edge_0": None}


def test_a_site_that_is_down_is_left_for_the_next_run_which_tries_it_last(edge_world):
    world = edge_world(4)
    down = world.servers["edge_1"]
    down.close()
    first = world.publish(1)
    play = world.roll_out()
    assert play.failed == "" or "edge_1" in play.failed
    # The second stage was edge_1 alone, of which nobody knows anything: nothing goes on from there.
    assert "of 1 sites 0 serve" in play.failed and "1 could not be reached" in play.failed
    assert world.states()["edge_1"].state == "behind"
    again = world.roll_out()
    assert again.failed == "" and [item["site"] for item in again.result("rest_sites")][-1] == "edge_1"
    served = {site: number for site, number in world.serving().items() if site != "edge_1"}
    assert served == dict.fromkeys(served, first.version)

    back = type(down)(down.repository)
    world.servers["edge_1"] = back
    world.patch.setenv("AIRFLOW_CONN_EDGE_1", back.connection)
    assert world.roll_out().failures == {}
    assert world.serving() == everywhere(world, first.version)


def test_a_server_that_cannot_load_the_version_serves_what_it_served(edge_world):
    world = edge_world(1)
    first = world.publish(1)
    world.roll_out()
    world.publish(2)
    world.servers["edge_0"].broken = "out of memory"
    play = world.roll_out()
    assert "edge_0:" in play.failed and "out of memory" in play.failed
    assert world.serving() == {"edge_0": first.version}
    state = world.states()["edge_0"]
    assert (state.version, state.state) == (first.version, "put back")


def test_a_site_without_space_fails_its_stage_with_ontaps_own_words(edge_world, there):  # noqa: F811
    world = edge_world(1, ways=["sync"])
    world.publish(1)
    there.fault("POST", "/api/storage/volumes", "error", status=400, code="917534", message="no space on aggregate")
    play = world.roll_out()
    assert "edge_0:" in play.failed and "of 1 sites 0 serve" in play.failed, play.failed
    assert world.serving() == {"edge_0": None}
    with there.client() as client:
        assert [each.name for each in volumes.list_volumes(client, name="*_at_*")] == []


def test_a_site_whose_proof_takes_too_long_is_not_healthy(edge_world):
    world = edge_world(1)
    world.publish(1)
    play = world.roll_out()
    assert play.failures == {}
    world.publish(2)
    from ontap_mlops import edge_sites
    from ontap_mlops.operators.edge import EdgeServer, ProofFailed

    version = world.registry.champion(world.model)
    config = world.servers["edge_0"].serving[world.model]
    with pytest.raises(ProofFailed, match="are the most that the roll-out allows"):
        EdgeServer(edge_sites.edge_site("edge_0"), version).serve(1, config, 0.0)


def test_groups_choose_sites_and_an_unknown_one_is_named_with_those_there_are(edge_world):
    world = edge_world(3)
    world.publish(1)
    assert world.roll_out(groups="first").failures == {}, "as the DAG's template gives them"
    assert world.serving() == {"edge_0": 1, "edge_1": None, "edge_2": None}
    assert world.roll_out(groups="first, others").failures == {}
    assert set(world.serving().values()) == {1}
    play = world.roll_out(groups=["north"])
    assert play.failures["first_sites"] == "no edge site is in north; the groups are: first, others"


def test_a_real_triton_comes_up_with_its_first_version_and_reads_it_from_the_sites_volume(edge_world, tmp_path):
    if not (TRITON_VENV / "bin" / "python").exists():
        pytest.skip(NO_TRITON)
    world = edge_world(1)
    world.ready_s = 120
    triton = TritonServer(world.at("edge_0") / "triton", tmp_path)
    triton.start(wait=False)  # its repository comes with the roll-out
    try:
        world.patch.setenv("AIRFLOW_CONN_EDGE_0", connection(triton.http))
        world.publish(1)
        assert world.roll_out().failures == {}
        second = world.publish(2)
        assert world.roll_out().failures == {}
        (world.here.emulator.namespace / world.volume / second.folder / "model.onnx").unlink()
        server = InferenceHook("edge_0")
        assert server.infer(world.model, ones())["outputs"][0]["data"] == [2 * ONES_SCORE]
        assert world.roll_out(what="put_back").failures == {}
        assert server.infer(world.model, ones())["outputs"][0]["data"] == [ONES_SCORE]
    finally:
        triton.stop()
