"""The etl service's commands: `millwright etl`."""
