"""[trainer] command = ["python", "train_lightgbm.py"]: LightGBM on the numbers, raw and derived; early stopping on the tune rows."""
import argparse
import json

import lightgbm
import pandas

ask = argparse.ArgumentParser()
for name in ("train", "tune", "parameters", "output"):
    ask.add_argument(f"--{name}", required=True)
args = ask.parse_args()
parameters = json.load(open(args.parameters))
numbers = [feature["name"] for feature in parameters["features"] if feature["kind"] == "number"]


def part(path):
    table = pandas.read_csv(path)
    return table[numbers], (table[parameters["target"]].astype(str) == parameters["classes"][1]).astype(int)


(train, y), (tune, tune_y) = part(args.train), part(args.tune)
data = lightgbm.Dataset(train, y)
model = lightgbm.train(
    {"objective": "binary", "seed": parameters["seed"], "num_threads": 1, "deterministic": True, "verbose": -1},
    data, 300, [lightgbm.Dataset(tune, tune_y, reference=data)], callbacks=[lightgbm.early_stopping(20, verbose=False)])
# The text names its features: mlloop finds them by name.
model.save_model(args.output)
