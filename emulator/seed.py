"""What an emulated cluster has to begin with, and what is put right when it starts after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emulator.aggregates import state as aggregate_state
from emulator.auth import ADMIN, Accounts, initial_password
from emulator.cloud_stores import state as cloud_store_state
from emulator.cluster import state as cluster_state
from emulator.efficiency_policies import state as efficiency_policy_state
from emulator.interfaces import state as interface_state
from emulator.licenses import state as license_state
from emulator.qos import state as qos_state
from emulator.schedules import state as schedule_state
from emulator.security_accounts import state as account_state
from emulator.security_roles import state as role_state
from emulator.snapmirror_policies import state as snapmirror_policies
from emulator.snapshot_policies import state as snapshot_policy_state
from emulator.svms import state as svm_state
from emulator.volumes import junctions, root
from emulator.world import World

SVM = "svm1"
"""What there is when no SVM is named at the start."""
_SEEDED = "seeded"
_RESET_TRIES, _RESET_WAIT_S = 10, 1.0


def prepare(world: World, password: str) -> None:
    """Make the first state if there is none, finish what a kill interrupted, and set the accounts' passwords."""
    if not world.store.get("setting", _SEEDED):
        _seed(world)
    recover(world)
    _put_accounts(world, password)


def _put_accounts(world: World, password: str) -> None:
    """Those that are there from the start, with the passwords that they have then."""
    accounts = Accounts(world.store)
    accounts.put(ADMIN, password, ADMIN)
    for name, svm in (("readonly", None), ("vsadmin", _home(world)), ("least", _home(world))):
        accounts.put(name, initial_password(world.root, name), name, svm)


def _home(world: World) -> str:
    """The SVM of the accounts that are bound to one: the first named at the start, or what it has become."""
    known = [svm["name"] for svm in world.store.find("svm")]
    first = world.config.svms[0]
    return first if first in known or not known else known[0]


def _seed(world: World) -> None:
    with world.store.transaction():
        world.store.clear()
        cluster_state.seed(world)
        aggregate_state.seed(world)
        for name in world.config.svms:
            add_svm(world, name)
        world.store.insert("setting", {"uuid": _SEEDED})


def add_svm(world: World, name: str) -> None:
    """An SVM with an interface, unless there is one of this name. Refuses a name that no SVM can have."""
    if world.store.find(svm_state.KIND, name=name):
        return
    svm_state.check_new(world, name)
    with world.store.transaction():
        svm = svm_state.new(world, name)
        svm_state.add(world, svm)
        interface_state.seed(world, svm_state.ref(svm))


def recover(world: World) -> None:
    """Finish open jobs, then make directories and links agree with the records."""
    cloud_store_state.add_presets(world)
    license_state.add_presets(world)
    qos_state.add_presets(world)
    schedule_state.add_presets(world)
    snapshot_policy_state.add_presets(world)
    efficiency_policy_state.add_presets(world)
    snapmirror_policies.add_presets(world)
    interface_state.readdress(world)
    world.jobs.recover()
    for svm in world.store.find("svm"):
        root.add(world, svm)
    snapshots: dict[str, dict[str, str]] = {volume["uuid"]: {} for volume in world.store.find("volume")}
    for snapshot in world.store.find("snapshot"):
        if snapshot["volume"] not in snapshots:
            # Taken by somebody whom a reset did not wait for any longer.
            world.store.delete("snapshot", snapshot["uuid"])
            continue
        snapshots[snapshot["volume"]][snapshot["name"]] = snapshot["uuid"]
    world.dataplane.clean(snapshots)
    for svm in world.store.find("svm"):
        junctions.restore_all(world, svm)
    world.transfers.recover()


def reset(world: World, *, accounts: bool = False) -> None:
    """Back to the first state; accounts and roles stay, but for those of an SVM that is not there in it.

    What runs is stopped, or ends first; what comes waits.

    :param accounts: have those of the first state and no other.
    """
    with stopped(world):
        _begin_anew(world, accounts)


@contextmanager
def stopped(world: World) -> Iterator[None]:
    """Nobody is at work: what runs was stopped or has ended, what comes waits."""
    with world.gate.closed() as gate:
        for _ in range(_RESET_TRIES):
            # Again after they have gone, since those inside may have begun more.
            world.jobs.drop_all()
            world.transfers.drop_all()
            if gate.empty(_RESET_WAIT_S):
                break
        world.jobs.drop_all()
        world.transfers.drop_all()
        yield


def _begin_anew(world: World, accounts: bool) -> None:
    kinds = () if accounts else (account_state.KIND, role_state.KIND)
    staying = [(kind, record) for kind in kinds for record in world.store.find(kind)]
    for svm in world.store.find("svm"):
        world.dataplane.namespace.forget(svm["name"])
    with world.store.transaction():
        _seed(world)
        now = {svm["name"]: svm_state.ref(svm) for svm in world.store.find("svm")}
        for kind, record in staying:
            if record["svm"] is None or record["svm"]["name"] in now:
                svm = record["svm"] and now[record["svm"]["name"]]
                world.store.insert(kind, record | {"svm": svm})
        if accounts:  # within the transaction: at no moment is there nobody who can log in
            _put_accounts(world, initial_password(world.root))
    recover(world)
