"""What differs between two versions, and what that means for judgments."""
