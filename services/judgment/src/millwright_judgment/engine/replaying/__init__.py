"""Judging past executions again: one at once, many in the background. Nothing here stores an execution."""
