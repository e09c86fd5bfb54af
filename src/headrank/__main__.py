"""``python -m headrank`` is the command ``headrank``."""

import sys

from headrank.cli import main

sys.exit(main())
