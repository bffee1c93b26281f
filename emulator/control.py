"""The prefix ``/emulator``: what the real thing does not have, for tests and for the demo to steer the pretending."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from emulator import bookmark, seed
from emulator.auth import Accounts
from emulator.body import flag, text, texts
from emulator.cloud_stores import state as cloud_stores
from emulator.errors import NoSuchApi, NotFound, OntapError, shortened
from emulator.faults import Fault, number, whole
from emulator.flexcache import state as flexcaches
from emulator.jobs.runner import Pace
from emulator.query import LARGEST
from emulator.rest import Reply
from emulator.values import one_of
from emulator.volumes import state as volumes
from emulator.world import World

# Fifty years either way: times before 1970, or of more than four digits, are none that ONTAP or a client could show.
MAX_OFFSET_S = 50 * 365 * 86400

Handler = Callable[[World, dict[str, Any], str], Reply]


def reset(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """Back to the first state; with ``accounts``, accounts and roles too."""
    accounts = flag(body.get("accounts", False))
    world.faults.clear()
    world.requests.clear()
    world.jobs.pace = Pace()
    world.config.snapshot_limit = type(world.config).snapshot_limit
    seed.reset(world, accounts=accounts)
    return Reply(200, {})


def put_bookmark(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """Remember how things are: ``kept`` is false, and nothing is remembered, while a job or a transfer is under way."""
    return Reply(200, {"kept": bookmark.keep(world)})


def get_bookmark(world: World, body: dict[str, Any], uuid: str) -> Reply:
    return Reply(200, {"kept": bookmark.can_go_back(world)})


def go_back(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """Be as at the bookmark: ``back`` is false where there is none, or where a file has changed since."""
    world.faults.clear()
    world.requests.clear()
    return Reply(200, {"back": bookmark.go_back(world)})


def get_clock(world: World, body: dict[str, Any], uuid: str) -> Reply:
    return Reply(200, {"now": world.clock.iso(), "offset_s": world.clock.offset_s})


def put_clock(world: World, body: dict[str, Any], uuid: str) -> Reply:
    if "now" in body:
        now = datetime.fromisoformat(body["now"])
        now = now if now.tzinfo else now.replace(tzinfo=UTC)
        offset_s = (now - datetime.now(UTC)).total_seconds()
    else:
        offset_s = body.get("offset_s", 0)
    world.clock.set_offset(number(offset_s, "the offset of the clock in seconds", -MAX_OFFSET_S, MAX_OFFSET_S))
    return get_clock(world, body, uuid)


def add_fault(world: World, body: dict[str, Any], uuid: str) -> Reply:
    world.faults.add(Fault(**body))
    return list_faults(world, body, uuid)


def list_faults(world: World, body: dict[str, Any], uuid: str) -> Reply:
    return Reply(200, {"faults": world.faults.due()})


def clear_faults(world: World, body: dict[str, Any], uuid: str) -> Reply:
    world.faults.clear()
    return Reply(200, {"faults": []})


def list_requests(world: World, body: dict[str, Any], uuid: str) -> Reply:
    return Reply(200, {"requests": list(world.requests)})


def clear_requests(world: World, body: dict[str, Any], uuid: str) -> Reply:
    world.requests.clear()
    return Reply(200, {"requests": []})


def get_jobs(world: World, body: dict[str, Any], uuid: str) -> Reply:
    return Reply(200, asdict(world.jobs.pace))


def put_jobs(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """The pace of jobs made from now on."""
    world.jobs.pace = Pace(**body)
    return get_jobs(world, body, uuid)


def forget_job(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """As if the job were so old that ONTAP no longer knows it."""
    world.store.delete("job", uuid)
    return Reply(200, {})


def put_limits(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """``snapshots_per_volume`` as a number, ``aggregate_bytes`` for every aggregate."""
    if "snapshots_per_volume" in body:
        world.config.snapshot_limit = whole(body["snapshots_per_volume"], "snapshots_per_volume", 0, 1023)
    if "aggregate_bytes" in body:
        size = whole(body["aggregate_bytes"], "aggregate_bytes", 1, LARGEST)
        for aggregate in world.store.find("aggregate"):
            world.store.update("aggregate", aggregate["uuid"], size=size)
    sizes = [aggregate["size"] for aggregate in world.store.find("aggregate")]
    return Reply(200, {"snapshots_per_volume": world.config.snapshot_limit, "aggregate_bytes": sizes[0]})


def put_schedules(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """``running``: whether anything begins by itself at the times of schedules, from now on."""
    world.config.schedules = flag(body["running"])
    return Reply(200, {"running": world.config.schedules})


def put_user(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """Create an account or replace it: name, password, role (built in, or one's own) and svm."""
    Accounts(world.store).put(**body)
    return list_users(world, body, uuid)


def put_role(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """Create a role or replace it: ``name`` and ``privileges``, each with ``path`` and ``access``, as on ONTAP."""
    Accounts(world.store).put_role(**body)
    return Reply(200, {"roles": sorted(Accounts(world.store).roles())})


def put_svm(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """An SVM with a network interface, as those that the emulator begins with; goes with the next reset."""
    seed.add_svm(world, text(body["name"]))
    return Reply(200, {"svms": [svm["name"] for svm in world.store.find("svm")]})


def list_users(world: World, body: dict[str, Any], uuid: str) -> Reply:
    return Reply(200, {"users": Accounts(world.store).shown()})


def put_owners(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """Give a snapshot the owners that only other parts of ONTAP give, such as ``snapmirror``."""
    if not world.store.get("snapshot", uuid):
        raise NotFound()
    owners = texts(body["owners"])
    world.store.update("snapshot", uuid, owners=owners)
    return Reply(200, {"owners": owners})


def put_reads(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """Say what clients have read of a cache, which is a folder here and sees no reader."""
    if not world.store.get(flexcaches.KIND, uuid):
        raise NotFound()
    reads = {name: whole(body[name], name, 0, LARGEST) for name in volumes.READS}
    world.store.update(volumes.KIND, uuid, reads=reads)
    return Reply(200, reads)


def put_cloud_stores(world: World, body: dict[str, Any], uuid: str) -> Reply:
    """Say whether object stores can be reached: ``availability`` is available or unavailable."""
    wanted = one_of(*cloud_stores.AVAILABILITY)(body["availability"])
    for record in world.store.find(cloud_stores.KIND):
        world.store.update(cloud_stores.KIND, record["uuid"], availability=wanted)
    return Reply(200, {"availability": wanted})


ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/reset", reset),
    ("PUT", "/bookmark", put_bookmark),
    ("GET", "/bookmark", get_bookmark),
    ("POST", "/bookmark/return", go_back),
    ("GET", "/clock", get_clock),
    ("PUT", "/clock", put_clock),
    ("GET", "/faults", list_faults),
    ("POST", "/faults", add_fault),
    ("DELETE", "/faults", clear_faults),
    ("GET", "/requests", list_requests),
    ("DELETE", "/requests", clear_requests),
    ("GET", "/jobs", get_jobs),
    ("PUT", "/jobs", put_jobs),
    ("DELETE", "/jobs/{uuid}", forget_job),
    ("PUT", "/limits", put_limits),
    ("PUT", "/schedules", put_schedules),
    ("GET", "/users", list_users),
    ("PUT", "/users", put_user),
    ("PUT", "/roles", put_role),
    ("PUT", "/svms", put_svm),
    ("PUT", "/snapshots/{uuid}/owners", put_owners),
    ("PUT", "/caches/{uuid}/reads", put_reads),
    ("PUT", "/cloud-stores", put_cloud_stores),
]


def dispatch(world: World, method: str, path: str, body: Any) -> Reply:
    """``path`` is what follows ``/emulator``."""
    for verb, pattern, handler in ROUTES:
        match = re.fullmatch(pattern.replace("{uuid}", "([^/]+)"), path)
        if verb == method and match:
            try:
                return handler(world, _object(body), match.group(1) if match.groups() else "")
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError, re.error) as error:
                raise OntapError(f"{method} /emulator{path}: {shortened(error)}") from error
    raise NoSuchApi()


def _object(body: Any) -> dict[str, Any]:
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise ValueError("the request body must be a JSON object")
    return body
