"""A child process that can do one thing: read here, write there, run one program, and end at its limits."""
