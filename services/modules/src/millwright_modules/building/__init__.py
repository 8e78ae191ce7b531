"""Building a module's frontend: from the sources in the staging directory to the files that browsers load.

esbuild does it, confined; nothing of a module is ever run. What it wrote is checked once more by what it says it read.
"""
