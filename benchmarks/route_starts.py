"""What starting from nothing costs: fresh processes that import Turnout and load a predictor, beside other imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from common import Table, memory_mib

STARTS = 15
START_TARGET_S = 0.5
START = f"""
import json, sys, time
begin = time.perf_counter()
import turnout
imported = time.perf_counter()
turnout.Router.load(sys.argv[1])
loaded = time.perf_counter()
heavy = [name for name in ("pandas", "mlflow", "sklearn", "scipy") if name in sys.modules]
sys.path.insert(0, {str(Path(__file__).parent)!r})
import common
memory = common.memory_mib("self", "VmHWM")
print(json.dumps({{"import_s": imported - begin, "load_s": loaded - imported, "heavy": heavy, "peak_mib": memory}}))
"""
