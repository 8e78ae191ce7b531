"""CloudEvents on their way in and out."""
