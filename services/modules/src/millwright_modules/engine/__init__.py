"""What runs in the background: operations, and tidying."""
