"""The waiting half of WorkloadOperator's deferrable mode."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ontap_mlops.compute import profiles
from ontap_mlops.compute.following import LogFollower
from ontap_mlops.compute.workload import Runner, State, Status


class WorkloadTrigger(BaseTrigger):
    """Follows a workload until it ends, then fires once with its place, name, state, exit code and message.

    :param place: name in config/compute.yaml.
    :param workload: name of the workload.
    :param poll_interval_s: seconds between two looks.
    :param deadline: seconds since 1970 after which the workload is cancelled and given up on; None for never.
    """

    def __init__(self, place: str, workload: str, poll_interval_s: float, deadline: float | None) -> None:
        super().__init__()
        self.place = place
        self.workload = workload
        self.poll_interval_s = poll_interval_s
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "place": self.place,
                "workload": self.workload,
                "poll_interval_s": self.poll_interval_s,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        runner = await asyncio.to_thread(profiles.runner, self.place)
        follower = LogFollower(runner, self.workload)
        while (status := await asyncio.to_thread(runner.status, self.workload)).state.active:
            await self._show(follower)
            if self.deadline is not None and time.time() > self.deadline:
                status = await self._given_up(runner)
                break
            await asyncio.sleep(self.poll_interval_s)
        await self._show(follower, last=True)
        yield TriggerEvent(
            {
                "place": self.place,
                "workload": self.workload,
                "state": status.state.value,
                "exit_code": status.exit_code,
                "message": status.message,
            }
        )

    async def on_kill(self) -> None:
        runner = await asyncio.to_thread(profiles.runner, self.place)
        await asyncio.to_thread(runner.cancel, self.workload)

    async def _given_up(self, runner: Runner) -> Status:
        await asyncio.to_thread(runner.cancel, self.workload)
        return Status(state=State.FAILED, message="the place did not stop it at its time limit; it was cancelled")

    async def _show(self, follower: LogFollower, *, last: bool = False) -> None:
        for line in await asyncio.to_thread(lambda: list(follower.lines(last=last))):
            self.log.info("%s", line)
