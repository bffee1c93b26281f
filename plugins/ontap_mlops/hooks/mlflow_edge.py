"""Which version each edge site serves of a model, kept as tags ``edge.<site>`` of the registered model."""

from __future__ import annotations

import json

from ontap_mlops.hooks.mlflow_service import MlflowService, tags
from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.records import EdgeState

PREFIX = "edge."


class EdgeStates:
    """One call reads those of all sites, and one writes that of a site."""

    def __init__(self, service: MlflowService, model: str) -> None:
        self.service = service
        self.model = model

    def read(self) -> dict[str, EdgeState]:
        """By name of the site; a site that never had the model has none. Raises ServiceRefused for no such model."""
        asked = f"say which version of model {self.model} the edge sites serve"
        query = {"name": self.model}
        facts = self.service.part("GET", "registered-models/get", asked, "registered_model", params=query)
        found = {key.removeprefix(PREFIX): text for key, text in tags(facts).items() if key.startswith(PREFIX)}
        try:
            return {site: EdgeState.from_json(json.loads(text)) for site, text in found.items()}
        except ValueError as error:
            raise ServiceRefused(
                f"A tag {PREFIX}... of model {self.model} in MLflow cannot be read: {error}."
            ) from error

    def write(self, state: EdgeState) -> None:
        self.service.change(
            "POST",
            "registered-models/set-tag",
            f"keep what edge site {state.site} serves of model {self.model}",
            json={"name": self.model, "key": f"{PREFIX}{state.site}", "value": json.dumps(state.to_json())},
        )
