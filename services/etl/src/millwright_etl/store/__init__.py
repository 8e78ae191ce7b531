"""Every SQL statement of the service but those of the pipelines."""
