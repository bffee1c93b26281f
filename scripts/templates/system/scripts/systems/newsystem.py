"""New System: sample measurements, one more file each day."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from scripts import lake
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/newsystem"


class NewSystem(System):
    name = "newsystem"
    dataset = "newsystem_data"
    train_dag = "newsystem"
    metrics = ("accuracy", "roc_auc")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        lake.bucket(stack)
        return lake.run_program(stack, "tasks.newsystem.samples", f"--output={URL}", f"--revision={day}")


SYSTEM = NewSystem()
