from tests.serving import mlflow_connection, mlflow_port

__all__ = ["mlflow_connection", "mlflow_port"]
