"""Running instances: claim, walk, and make durable what was done."""
