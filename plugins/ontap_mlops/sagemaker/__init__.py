"""Amazon SageMaker through boto3: training jobs, endpoints, batch transforms and notebook instances."""
