"""What the modules service's answers look like to a person."""
