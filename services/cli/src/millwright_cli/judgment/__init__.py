"""The judgment service's commands: `millwright ruleset`, `judge`, `execution`, `replay` and `experiment`."""
