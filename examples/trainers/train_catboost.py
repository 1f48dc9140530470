"""[trainer] command = ["python", "train_catboost.py"]: CatBoost on the numbers, raw and derived; early stopping on the tune rows."""
import argparse
import json

import catboost
import pandas

ask = argparse.ArgumentParser()
for name in ("train", "tune", "parameters", "output"):
    ask.add_argument(f"--{name}", required=True)
args = ask.parse_args()
parameters = json.load(open(args.parameters))
# In the order of the table: an ONNX file of CatBoost does not name its features.
numbers = [feature["name"] for feature in parameters["features"] if feature["kind"] == "number"]


def part(path):
    table = pandas.read_csv(path)
    return table[numbers], (table[parameters["target"]].astype(str) == parameters["classes"][1]).astype(int)


(train, y), (tune, tune_y) = part(args.train), part(args.tune)
model = catboost.CatBoostClassifier(
    iterations=300, depth=5, random_seed=parameters["seed"], thread_count=1, verbose=False, allow_writing_files=False)
model.fit(train, y, eval_set=(tune, tune_y), early_stopping_rounds=20)
model.save_model(args.output, format="onnx")
