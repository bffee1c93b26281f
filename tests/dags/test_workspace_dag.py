"""The form of a workspace."""

from __future__ import annotations

import yaml

from scripts.embedded.layout import ROOT


def test_empty_fields_are_empty_words_and_the_form_offers_the_datasets(dags):
    dag = dags["workspace"]
    task = dag.get_task("workspace")
    given = {"person": None, "version": None, "path": None, "bucket": True, "days": 2.5, "what": "make"}
    fields = ("action", "person", "version", "junction_path", "with_bucket", "days")
    rendered = {name: task.render_template(getattr(task, name), {"params": given}) for name in fields}
    assert rendered == {
        "action": "make",
        "person": "",
        "version": "",
        "junction_path": "",
        "with_bucket": "True",
        "days": "2.5",
    }
    datasets = sorted(yaml.safe_load((ROOT / "config" / "datasets.yaml").read_text())["datasets"])
    assert dag.params.get_param("dataset").schema["enum"] == datasets
