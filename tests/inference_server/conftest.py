from tests.serving import running_triton, triton

__all__ = ["running_triton", "triton"]
