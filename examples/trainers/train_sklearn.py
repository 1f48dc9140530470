"""[trainer] command = ["python", "train_sklearn.py"]: a random forest of scikit-learn, as ONNX, on the numbers without missing cells."""
import argparse
import json

import pandas
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier

ask = argparse.ArgumentParser()
for name in ("train", "tune", "parameters", "output"):
    ask.add_argument(f"--{name}", required=True)
args = ask.parse_args()
parameters = json.load(open(args.parameters))
# In the order of the table: the graph has one input for all features.
numbers = [feature["name"] for feature in parameters["features"] if feature["kind"] == "number"]
table = pandas.concat([pandas.read_csv(args.train), pandas.read_csv(args.tune)])
x = table[numbers].astype("float32")
y = (table[parameters["target"]].astype(str) == parameters["classes"][1]).astype(int)
if x.isna().any().any():
    # An import of a forest has no rule for them: fill them with coalesce(…) in [features.derived].
    raise SystemExit(f"missing cells in {', '.join(x.columns[x.isna().any()])}")
model = RandomForestClassifier(200, min_samples_leaf=5, random_state=parameters["seed"], n_jobs=1).fit(x.to_numpy(), y)
graph = to_onnx(
    model, initial_types=[("features", FloatTensorType([None, len(numbers)]))], options={id(model): {"zipmap": False}},
    target_opset={"": 15, "ai.onnx.ml": 3})
with open(args.output, "wb") as file:
    file.write(graph.SerializeToString())
