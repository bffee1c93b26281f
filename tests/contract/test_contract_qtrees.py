"""Qtrees, quota rules and reports through the official client."""

from __future__ import annotations

from netapp_ontap.resources import Qtree, QuotaReport, QuotaRule


def test_a_qtree_is_limited_and_reported(cluster, volume):
    Qtree(svm={"name": cluster.svm}, volume={"name": volume.name}, name="alice").post(poll_interval=1)
    (found,) = Qtree.get_collection(**{"volume.name": volume.name, "name": "alice"}, fields="*")
    assert found.id == 1
    QuotaRule(
        svm={"name": cluster.svm},
        volume={"name": volume.name},
        type="tree",
        qtree={"name": "alice"},
        space={"hard_limit": 1024**2},
    ).post(poll_interval=1)
    volume.quota = {"enabled": True}
    volume.patch(poll_interval=1)
    (report,) = QuotaReport.get_collection(**{"volume.name": volume.name, "type": "tree"}, fields="*")
    assert (report.qtree.name, report.space.hard_limit) == ("alice", 1024**2)
    volume.quota = {"enabled": False}  # or the rules would be enforced after they are gone, which is told as an error
    volume.patch(poll_interval=1)
    for rule in QuotaRule.get_collection(**{"volume.name": volume.name}):
        rule.delete(poll_interval=1)
    found.delete(poll_interval=1)
    assert list(Qtree.get_collection(**{"volume.name": volume.name, "name": "alice"})) == []
