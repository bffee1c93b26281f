from tests.ontap_mlops.conftest import ontap, ontap_http
from tests.serving import running_triton, triton

__all__ = ["ontap", "ontap_http", "running_triton", "triton"]
