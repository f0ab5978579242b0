"""The full attack on published results: many invented bodies, the worst three colleagues, a table in Markdown.

    python -m tests.studies.attack --out FOLDER --bodies 500

Each body's outcome is one line of JSON in the folder, so a run that was stopped goes on where it was; the same folder
may be asked for more bodies later. Two sets: bodies of 20 to 120 people over few rounds until enough body-rounds are
done, and with --large so many bodies of up to 300 people over 12 rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from tests.adversary.attacker import publishers
from tests.adversary.attacker.bodies import invent
from tests.adversary.attacker.campaign import Outcome, campaign
