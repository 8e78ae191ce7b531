"""What the tasks of one process share: turns, lookups, what is remembered, and patience with the database."""
