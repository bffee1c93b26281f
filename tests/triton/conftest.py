from tests.serving import mlflow_connection, mlflow_port, triton

__all__ = ["mlflow_connection", "mlflow_port", "triton"]
