"""Which failures of a task are worth another try: decided by the type of the error, in this one place."""

from __future__ import annotations

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from ontap_mlops.clouds.errors import CloudPermanentError, CloudTemporaryError
from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from ontap_mlops.kubernetes.errors import KubernetesPermanentError, KubernetesTemporaryError
from ontap_mlops.ontap.errors import OntapPermanentError, OntapTemporaryError
from ontap_mlops.slurm.errors import SlurmPermanentError, SlurmTemporaryError

# Airflow matches an error against the rules in order, by isinstance unless told otherwise. An error that fits none is
# retried as the task says.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(OntapPermanentError, RetryAction.FAIL, reason="ONTAP will refuse it again; no retry can help"),
        RetryRule(OntapTemporaryError, RetryAction.RETRY, reason="ONTAP may do it later; a retry finds what is made"),
        RetryRule(CloudPermanentError, RetryAction.FAIL, reason="the service will refuse it again; no retry can help"),
        RetryRule(
            CloudTemporaryError, RetryAction.RETRY, reason="the service may do it later; a retry finds what is made"
        ),
        RetryRule(
            KubernetesPermanentError, RetryAction.FAIL, reason="the cluster will refuse it again; no retry can help"
        ),
        RetryRule(
            KubernetesTemporaryError,
            RetryAction.RETRY,
            reason="the cluster may do it later; a retry finds it",
        ),
        RetryRule(SlurmPermanentError, RetryAction.FAIL, reason="Slurm will refuse it again; no retry can help"),
        RetryRule(SlurmTemporaryError, RetryAction.RETRY, reason="Slurm may do it later; a retry finds it"),
        # Only the exact classes: an answer cut off in the middle is a kind of ValueError too, and worth another try.
        RetryRule([ValueError, TypeError], RetryAction.FAIL, reason="bad input", match_subclasses=False),
        RetryRule(ServiceRefused, RetryAction.FAIL, reason="the service will refuse it again; no retry can help"),
        RetryRule(ServiceUnavailable, RetryAction.RETRY, reason="the service may answer later"),
        RetryRule(
            "airflow.sdk.exceptions.AirflowNotFoundException",
            RetryAction.FAIL,
            reason="the connection or variable is not defined",
        ),
    ]
)
