from tests.serving import mlflow_connection, mlflow_port, running_triton, triton

__all__ = ["mlflow_connection", "mlflow_port", "running_triton", "triton"]
