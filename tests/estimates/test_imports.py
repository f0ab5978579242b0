"""What importing the pure core costs."""

import subprocess
import sys


def test_the_core_does_not_import_scipy_until_needed():
    """Importing estimates and disclosure loads neither scipy nor pandas, so pages and commands start fast."""
    code = (
        "import sys, engagement.estimates, engagement.disclosure;"
        "sys.exit(bool({'scipy', 'pandas', 'sqlalchemy', 'streamlit'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
