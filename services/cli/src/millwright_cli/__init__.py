"""The `millwright` command: a client of the public gRPC APIs, and nothing else."""
