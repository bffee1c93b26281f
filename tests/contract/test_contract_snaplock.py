"""The compliance clock through the official client."""

from __future__ import annotations

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Node, SnaplockComplianceClock


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
