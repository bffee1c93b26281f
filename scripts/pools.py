"""Print the Airflow pools that the places of compute.yaml ask for, as JSON for `airflow pools import`.

    python -m scripts.pools > pools.json && airflow pools import pools.json

A task at a place takes a slot of its pool where [ontap_mlops] use_pools is set; without the pool it would not start.
"""

from __future__ import annotations

import json
import sys

from ontap_mlops.compute import places
from ontap_mlops.config_file import ConfigError


def pools() -> dict[str, dict[str, object]]:
    """Return them by name. A deferred task keeps its slot, since its program goes on at the place."""
    return {
        places.pool(name): {
            "slots": place.slots,
            "description": f"Programs at the place {name} of config/compute.yaml",
            "include_deferred": True,
        }
        for name, place in places.places().items()
    }


if __name__ == "__main__":
    try:
        print(json.dumps(pools(), indent=1))
    except (ConfigError, ValueError) as error:
        sys.exit(f"The pools could not be told: {error}")
