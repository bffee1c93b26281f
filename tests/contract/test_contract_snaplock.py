"""The compliance clock, and how long a file is kept, through the official client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Node, SnaplockComplianceClock, SnaplockFileRetention, Volume


def test_the_clock_is_read_and_set_once(cluster, only_emulator):
    only_emulator.control("POST", "/reset")
    node = next(iter(Node.get_collection()))
    SnaplockComplianceClock(node={"uuid": node.uuid}).post()
    (clock,) = SnaplockComplianceClock.get_collection(fields="*")
    assert (clock.node.name, clock.time.tzinfo is not None) == (node.name, True)
    with pytest.raises(NetAppRestError) as again:
        SnaplockComplianceClock(node={"uuid": node.uuid}).post()
    assert again.value.http_err_response.http_response.json()["error"]["code"] == "13763062"
    only_emulator.control("POST", "/reset")


def test_a_file_of_a_snaplock_volume_is_kept_until_a_time(cluster, only_emulator, name):
    only_emulator.control("POST", "/reset")
    node = next(iter(Node.get_collection()))
    SnaplockComplianceClock(node={"uuid": node.uuid}).post()
    facts = {"name": name, "svm": {"name": cluster.svm}, "aggregates": [{"name": cluster.aggregate}]}
    volume = Volume(**facts, size=1 << 30, nas={"path": f"/{name}"}, snaplock={"type": "enterprise"})
    volume.post(hydrate=True, poll_interval=1)
    (only_emulator.namespace / name / "record.txt").write_text("kept")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    asked = record(volume)
    asked.expiry_time = until
    asked.patch()
    kept = record(volume)
    kept.get()
    assert datetime.fromisoformat(str(kept.expiry_time)) == until
    only_emulator.control("POST", "/reset")


def record(volume: Volume) -> SnaplockFileRetention:
    file = SnaplockFileRetention.from_dict({"volume": {"uuid": volume.uuid}})
    file.path, file._last_state = "record.txt", {}  # part of the address, but no field that the library knows
    return file
