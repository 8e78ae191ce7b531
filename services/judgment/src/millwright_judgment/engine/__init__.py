"""What runs in the background, and what takes a processor for longer than a call may."""
