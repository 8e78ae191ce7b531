"""What is evaluated in child processes under limits: expressions and schemas."""
