"""Evidently's drift preset: evidently_drift.py REFERENCE CURRENT OUT.json"""

import sys

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

reference, current, out = sys.argv[1:4]
report = Report([DataDriftPreset()])
report.run(pd.read_csv(current), pd.read_csv(reference)).save_json(out)
