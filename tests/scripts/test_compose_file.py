"""What docker-compose.yaml promises: only this machine's ports, no password, known images, limits everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from scripts.composing.file import COMPOSE, ROOT, ComposeError, ComposeFile, filled

EXAMPLE = ROOT / ".env.example"
OURS = re.compile(r"ontap-mlops-(airflow|worker|worker-gpu|emulator|lake|mlflow|triton|dialog|calls|documents)")
PUBLIC = re.compile(
    r"(docker\.io/(library/postgres|library/redis|prom/prometheus|grafana/grafana)|nvcr\.io/nvidia/\w+):[\w.-]+"
)
TEXT = COMPOSE.read_text()
PEOPLE = "dialog,calls,documents"
PROFILES = ("emulator,second-site,cpu,dashboards", "emulator,gpu,dashboards", "cpu", f"cpu,{PEOPLE}")


def read(**variables: str) -> ComposeFile:
    return ComposeFile(COMPOSE, EXAMPLE, variables)


def example() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_0-9]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


EVERY = read(COMPOSE_PROFILES=f"emulator,second-site,cpu,gpu,dashboards,{PEOPLE}")


@pytest.fixture(params=sorted(EVERY.services))
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return EVERY.services[request.param]


@pytest.mark.parametrize("profiles", PROFILES)
def test_the_file_follows_the_compose_specification(profiles: str) -> None:
    made = compose_spec.PyCompose.from_yaml(yaml.safe_dump(read(COMPOSE_PROFILES=profiles).content))
    made.validate()
    assert set(made.service_names()) == set(EVERY.services)


@pytest.mark.parametrize("profiles", PROFILES)
def test_each_service_starts_after_all_that_it_waits_for(profiles: str) -> None:
    file = read(COMPOSE_PROFILES=profiles)
    order = file.in_order()
    assert set(order) == set(file.services)
    assert all(order.index(other) < order.index(name) for name in order for other in file.needs(name))
    assert ("ontap" in order) == ("emulator" in profiles) and ("grafana" in order) == ("dashboards" in profiles)
    assert ("ontap-remote" in order) == ("second-site" in profiles)
    assert {"dialog", "dialog-stubs", "calls", "documents"} & set(order) == (
        {"dialog", "dialog-stubs", "calls", "documents"} if PEOPLE in profiles else set()
    )
    assert len({"programs", "programs-gpu"} & set(order)) == len({"triton", "triton-gpu"} & set(order)) == 1


def test_ports_are_those_of_this_machine_only(service: dict[str, Any]) -> None:
    assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == []
    assert "network_mode" not in service or service["network_mode"] == "none"


def test_images_are_public_ones_or_made_of_our_files(service: dict[str, Any]) -> None:
    if "build" in service:
        assert OURS.fullmatch(service["image"])
        assert (ROOT / service["build"]["dockerfile"]).is_file()
    else:
        assert PUBLIC.fullmatch(service["image"]), "with a tag"


def test_no_service_may_do_more_than_it_needs(service: dict[str, Any]) -> None:
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and "privileged" not in service
    assert service["mem_limit"] and service["pids_limit"] > 0
    assert not [
        volume for volume in service.get("volumes", ()) if volume.startswith(("/", "./")) and volume[-3:] != ":ro"
    ]


def test_each_service_is_asked_whether_it_works_and_comes_back(service: dict[str, Any]) -> None:
    if service["restart"] == "no":
        return  # it does one thing; who waits for it asks how it ended
    assert service["restart"] == "unless-stopped" and service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_secrets_are_read_only_and_only_prepare_has_all_of_them() -> None:
    for name, service in EVERY.services.items():
        mounted = [volume for volume in service.get("volumes", ()) if volume.startswith("secrets")]
        if name != "prepare":
            assert len(mounted) <= 1 and all(v.endswith(":/run/secrets:ro") for v in mounted), name
            assert not [v for v in mounted if v.startswith("secrets:")], "what is kept is for no service"


def test_no_password_is_in_the_file_or_in_the_example() -> None:
    secret = re.compile("PASSWORD|SECRET|TOKEN|FERNET|KEY")
    for name, service in EVERY.services.items():
        told = {n: v for n, v in (service.get("environment") or {}).items() if secret.search(n)}
        assert {n: v for n, v in told.items() if v and not n.endswith(("_CMD", "_FILE"))} == {}, name
    assert not re.search(r"://[^/\s]*:[^/\s]*@|requirepass (?!\"\$\$)", TEXT)
    named = {name: value for name, value in example().items() if re.search("PASSWORD|SECRET|TOKEN", name)}
    assert set(named.values()) == {""}


def test_each_variable_is_in_the_example_with_the_value_that_holds_without_it() -> None:
    used = dict(re.findall(r"(?<!\$)\$\{(\w+):[-?]([^}]*)\}", TEXT))
    known = example()
    assert sorted(set(used) - set(known)) == [], "explained there"
    # Only the profiles have no value of their own: the file says what to do.
    assert {n: v for n, v in used.items() if n != "COMPOSE_PROFILES" and known[n] != v} == {}
    assert not re.search(r"(?<!\$)\$[A-Za-z_]|(?<!\$)\$\{\w+\}", TEXT), "each has a value"
    ours = [name for name in known if not name.startswith(("ONTAP_MLOPS_", "AIRFLOW__"))]
    assert sorted(set(ours) - set(used)) == [], "and none is there that nothing reads"


def test_volumes_are_named_and_each_is_declared() -> None:
    used = {v.split(":")[0] for s in EVERY.services.values() for v in s.get("volumes", ())}
    assert {name for name in used if not name.startswith("./")} == set(EVERY.content["volumes"])
    assert all((ROOT / folder).exists() for folder in used if folder.startswith("./"))


def test_only_images_of_chosen_services_are_built() -> None:
    assert {"documents", "tasks", "emulator"} & set(read(COMPOSE_PROFILES="cpu").targets()) == set()
    assert {"calls", "worker"} <= set(read(COMPOSE_PROFILES="cpu,calls").targets())


def test_an_ontap_of_ones_own_is_mounted_from_a_folder() -> None:
    file = read(COMPOSE_PROFILES="cpu", ONTAP_MOUNT="/mnt/ontap", ONTAP_NAMESPACE="/ontap", ONTAP_HOST="cluster1")
    assert "/mnt/ontap:/ontap" in file.services["programs"]["volumes"]
    assert file.services["programs"]["environment"]["ONTAP_MLOPS_NAMESPACE_ROOT"] == "/ontap"
    assert file.services["airflow-init"]["environment"]["ONTAP_HOST"] == "cluster1"


def test_variables_are_filled_in_as_compose_does() -> None:
    assert filled("a ${A:-x} ${B:-y} $${A} ${C:-}", {"A": "1", "B": ""}) == "a 1 y ${A} "
    with pytest.raises(ComposeError, match=r"A is not set: do this\."):
        filled("${A:?do this}", {})


def test_services_that_wait_for_each_other_are_named(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    wait = {"depends_on": {"b": {"condition": "service_healthy"}}}
    file.write_text(yaml.safe_dump({"services": {"a": wait, "b": {"depends_on": {"a": wait["depends_on"]["b"]}}}}))
    with pytest.raises(ComposeError, match="a, b wait for each other"):
        ComposeFile(file, EXAMPLE, {"COMPOSE_PROFILES": "x"}).in_order()


def test_who_cannot_have_an_image_is_told_what_to_do_instead() -> None:
    assert EVERY.instead_of("grafana") == (
        "Name another image in IMAGE_GRAFANA of .env, "
        "or leave `dashboards` out of COMPOSE_PROFILES to do without grafana."
    )
    assert EVERY.instead_of("postgres") == "Name another image in IMAGE_POSTGRES of .env."
    assert EVERY.instead_of("exporter") == ""


def test_each_service_has_its_own_time_to_end() -> None:
    assert (EVERY.grace_s("programs"), EVERY.grace_s("api-server"), EVERY.grace_s("redis")) == (60, 60, 10)


def test_each_grace_is_told_in_seconds(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+s", service.get("stop_grace_period", "10s"))
