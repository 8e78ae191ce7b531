"""What runs in the background: runs, window by window."""
