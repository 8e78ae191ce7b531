"""What runs in the background: workers that claim instances, walk them, and make each result durable."""
