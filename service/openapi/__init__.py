"""OpenAPI: what the service declares of its requests and replies."""
