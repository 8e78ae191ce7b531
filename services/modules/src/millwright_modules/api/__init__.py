"""From requests to calls, and from results to messages."""
