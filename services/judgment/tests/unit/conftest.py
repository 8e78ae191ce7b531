"""Unit tests of judgment share the documents in `judgment_samples`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
