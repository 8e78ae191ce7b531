"""The workflow service's commands: `millwright workflow`, `instance` and `approval`."""
