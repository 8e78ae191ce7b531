"""Replays: past executions judged again, what is counted of them, and the report made of the counts."""
