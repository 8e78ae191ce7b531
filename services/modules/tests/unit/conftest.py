"""Unit tests of modules share what is in `module_samples`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
