"""Small models of other tools, and the predictions of those tools: fixtures/models/.

Run with a Python that has scikit-learn, lightgbm, xgboost, catboost, skl2onnx, onnxmltools and onnxruntime:

    python scripts/reference/interchange.py            # writes fixtures/models
"""

import json
import pathlib
import warnings

import numpy as np

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "fixtures" / "models"
N_TREES, DEPTH = 6, 3


def plain_ints():
    """skl2onnx passes numpy integers to onnx for HistGradientBoosting, which newer onnx refuses."""
    import onnx.helper

    make = onnx.helper.make_attribute

    def make_attribute(key, value, *args, **kwargs):
        if isinstance(value, (list, tuple)):
            value = [int(v) if isinstance(v, (np.integer, np.bool_, bool)) else v for v in value]
        return make(key, value, *args, **kwargs)

    onnx.helper.make_attribute = make_attribute


def tables():
    """A clean table and one with missing values, and three targets."""
    rng = np.random.default_rng(11)
    clean = rng.normal(size=(300, 5)).astype(np.float32)
    clean[:, 3] = np.round(clean[:, 3] * 2)
    signal = clean[:, 0] + clean[:, 1] * clean[:, 2] + 0.3 * clean[:, 3] + rng.normal(size=300) * 0.3
    missing = clean.copy()
    missing[rng.random(clean.shape) < 0.1] = np.nan
    y = {"binary": (signal > 0).astype(int), "multiclass": np.digitize(signal, [-0.5, 0.5]), "regression": signal * 40}
    return {"clean": clean, "missing": missing}, y


def sklearn_models(task):
    from sklearn import ensemble, tree

    kind = "Regressor" if task == "regression" else "Classifier"
    small = {"n_estimators": N_TREES, "max_depth": DEPTH, "random_state": 1}
    yield "forest", getattr(ensemble, "RandomForest" + kind)(**small), "clean"
    yield "extra", getattr(ensemble, "ExtraTrees" + kind)(**small), "clean"
    yield "gradient", getattr(ensemble, "GradientBoosting" + kind)(**small), "clean"
    hist = getattr(ensemble, "HistGradientBoosting" + kind)
    yield "hist", hist(max_iter=N_TREES, max_depth=DEPTH, random_state=1), "missing"
    yield "tree", getattr(tree, "DecisionTree" + kind)(max_depth=DEPTH, random_state=1), "clean"
    base = getattr(tree, "DecisionTree" + kind)(max_depth=2)
    yield "bagging", getattr(ensemble, "Bagging" + kind)(base, 3, random_state=1), "clean"


def scores(model, x, task):
    if task == "regression":
        return np.asarray(model.predict(x), dtype=np.float64).reshape(-1, 1)
    p = np.asarray(model.predict_proba(x), dtype=np.float64)
    return p[:, 1:] if task == "binary" else p


def runtime_scores(path, x, task):
    """The output of onnxruntime for one input of all columns."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    double = "double" in session.get_inputs()[0].type
    x = x.astype(np.float64) if double else x
    feed = {names[0]: x} if len(names) == 1 else {n: x[:, i : i + 1] for i, n in enumerate(names)}
    out = session.run(None, feed)[-1]
    if isinstance(out, list):
        out = np.array([[row[k] for k in row] for row in out])
    out = np.asarray(out, dtype=np.float64).reshape(len(x), -1)
    return out[:, -1:] if task == "binary" else out


def with_doubles(model):
    """The same graph with 64-bit attributes (`*_as_tensor`), as `ai.onnx.ml` 3 allows."""
    from onnx import helper, numpy_helper

    for node in model.graph.node:
        if not node.op_type.startswith("TreeEnsemble"):
            continue
        for name in ("nodes_values", "target_weights", "class_weights", "base_values", "nodes_hitrates"):
            for at in [a for a in node.attribute if a.name == name]:
                values = np.array(at.floats, dtype=np.float64)
                node.attribute.remove(at)
                tensor = numpy_helper.from_array(values, name)
                node.attribute.append(helper.make_attribute(name + "_as_tensor", tensor))
    model.graph.input[0].type.tensor_type.elem_type = 11
    opset = [o for o in model.opset_import if o.domain == "ai.onnx.ml"][0]
    opset.version = 3
    return model


def as_version_5(model):
    """A TreeEnsembleRegressor's trees as the TreeEnsemble operator of `ai.onnx.ml` 5."""
    from onnx import TensorProto, helper, numpy_helper

    node = [n for n in model.graph.node if n.op_type == "TreeEnsembleRegressor"][0]
    at = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    modes = {b"BRANCH_LEQ": 0, b"BRANCH_LT": 1, b"BRANCH_GTE": 2, b"BRANCH_GT": 3}
    key = list(zip(at["nodes_treeids"], at["nodes_nodeids"]))
    branches = {k: i for i, k in enumerate(k for k, m in zip(key, at["nodes_modes"]) if m != b"LEAF")}
    weights = list(zip(at["target_treeids"], at["target_nodeids"]))
    leaves = {k: i for i, k in enumerate(weights)}
    rows = [i for i, m in enumerate(at["nodes_modes"]) if m != b"LEAF"]

    def children(ids):
        keys = [(at["nodes_treeids"][i], at[ids][i]) for i in rows]
        return [branches.get(k, leaves.get(k)) for k in keys], [int(k in leaves) for k in keys]

    yes, yes_leaf = children("nodes_truenodeids")
    no, no_leaf = children("nodes_falsenodeids")
    pick = lambda name: [at[name][i] for i in rows]
    new = helper.make_node(
        "TreeEnsemble", [node.input[0]], [node.output[0]], domain="ai.onnx.ml",
        n_targets=1, aggregate_function=1, post_transform=0,
        tree_roots=[branches[k] for k in branches if k[1] == 0],
        nodes_featureids=pick("nodes_featureids"), nodes_truenodeids=yes, nodes_trueleafs=yes_leaf,
        nodes_falsenodeids=no, nodes_falseleafs=no_leaf,
        nodes_missing_value_tracks_true=[int(v) for v in pick("nodes_missing_value_tracks_true")],
        leaf_targetids=[0] * len(weights),
    )
    tensors = {
        "nodes_modes": np.array([modes[at["nodes_modes"][i]] for i in rows], dtype=np.uint8),
        "nodes_splits": np.array(pick("nodes_values"), dtype=np.float32),
        "leaf_weights": np.array(at["target_weights"], dtype=np.float32),
    }
    for name, values in tensors.items():
        new.attribute.append(helper.make_attribute(name, numpy_helper.from_array(values, name)))
    base = at.get("base_values", [0.0])[0]
    result = [new]
    initializers = []
    if base:
        new.output[0] = "sum"
        initializers = [helper.make_tensor("base", TensorProto.FLOAT, [1], [base])]
        result.append(helper.make_node("Add", ["sum", "base"], [node.output[0]]))
    graph = helper.make_graph(result, "v5", model.graph.input, model.graph.output, initializers)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


class Cases:
    def __init__(self, folder, tables):
        self.folder, self.tables, self.cases = folder, tables, []
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        return self.folder / name

    def add(self, name, table, task, expected, classes=None, names=None, runtime=True):
        path = self.path(name)
        x = self.tables[table]
        case = {"file": name, "table": table, "task": task, "classes": classes, "feature_names": names}
        case["scores"] = np.asarray(expected, dtype=np.float64)
        if runtime and name.endswith(".onnx"):
            ours = runtime_scores(path, x, task)
            case["onnxruntime"] = ours
            worst = np.max(np.abs(ours - case["scores"]) / np.maximum(1, np.abs(case["scores"])))
            if worst > 1e-6:
                print(f"{name}: onnxruntime differs from its origin by {worst:.2e}")
        self.cases.append(case)


def sklearn_cases(cases, y, n):
    from skl2onnx import to_onnx
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from skl2onnx.common.data_types import FloatTensorType

    plain_ints()
    for task, target in y.items():
        for name, model, table in sklearn_models(task):
            x = cases.tables[table]
            model.fit(x[:n], target[:n])
            proto = to_onnx(model, x[:1])
            file = f"sklearn_{name}_{task}.onnx"
            cases.path(file).write_bytes(proto.SerializeToString())
            classes = None if task == "regression" else [str(c) for c in range(target.max() + 1)]
            cases.add(file, table, task, scores(model, x, task), classes)
            if name == "gradient" and task == "regression":
                file = "doubles_regression.onnx"
                cases.path(file).write_bytes(with_doubles(proto).SerializeToString())
                cases.add(file, table, task, scores(model, x, task))
            if name == "forest" and task == "binary":
                named = np.array(["no", "yes"])[target]
                # A pipeline over named columns: the graph joins one input per column.
                together = ColumnTransformer([("all", "passthrough", list(range(x.shape[1])))])
                model = make_pipeline(together, model).fit(x[:n], named[:n])
                columns = [(f"column_{i}", FloatTensorType([None, 1])) for i in range(x.shape[1])]
                file = "sklearn_columns_binary.onnx"
                cases.path(file).write_bytes(to_onnx(model, initial_types=columns).SerializeToString())
                cases.add(file, table, task, scores(model, x, task), ["no", "yes"], [c[0] for c in columns])


def booster_cases(cases, y, n, rounds=N_TREES):
    import catboost
    import lightgbm
    import xgboost
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    x = cases.tables["missing"]
    kind = [("X", FloatTensorType([None, x.shape[1]]))]
    for task, target in y.items():
        suffix = "Regressor" if task == "regression" else "Classifier"
        classes = None if task == "regression" else [str(c) for c in range(target.max() + 1)]
        model = getattr(lightgbm, "LGBM" + suffix)(n_estimators=rounds, num_leaves=7, verbose=-1, min_child_samples=5)
        model.fit(x[:n], target[:n])
        file = f"lightgbm_{task}.onnx"
        cases.path(file).write_bytes(convert_lightgbm(model, initial_types=kind).SerializeToString())
        cases.add(file, "missing", task, scores(model, x, task), classes)
        file = f"lightgbm_{task}.txt"
        model.booster_.save_model(cases.path(file))
        cases.add(file, "missing", task, scores(model, x, task))
        model = getattr(xgboost, "XGB" + suffix)(n_estimators=rounds, max_depth=DEPTH)
        model.fit(x[:n], target[:n])
        file = f"xgboost_{task}.onnx"
        proto = convert_xgboost(model, initial_types=kind)
        cases.path(file).write_bytes(proto.SerializeToString())
        cases.add(file, "missing", task, scores(model, x, task), classes)
        for end in ("json", "ubj"):
            model.get_booster().save_model(cases.path(f"xgboost_{task}.{end}"))
            cases.add(f"xgboost_{task}.{end}", "missing", task, scores(model, x, task))
        if task == "regression":
            file = "version_5_regression.onnx"
            cases.path(file).write_bytes(as_version_5(proto).SerializeToString())
            cases.add(file, "missing", task, scores(model, x, task))
        model = getattr(catboost, "CatBoost" + suffix)(
            n_estimators=rounds, depth=DEPTH, verbose=0, allow_writing_files=False, random_seed=1, thread_count=1
        )
        model.fit(x[:n], target[:n])
        file = f"catboost_{task}.onnx"
        model.save_model(str(cases.path(file)), format="onnx")
        cases.add(file, "missing", task, scores(model, x, task), classes)


def more_booster_cases(cases, y, n):
    """Links, names, early stopping and files of older versions."""
    import lightgbm
    import xgboost

    x = cases.tables["missing"]
    names = [f"name_{i}" for i in range(x.shape[1])]
    train = lightgbm.Dataset(x[:n], np.abs(y["regression"][:n]), feature_name=names)
    model = lightgbm.train({"objective": "poisson", "num_leaves": 7, "verbose": -1}, train, N_TREES)
    model.save_model(cases.path("lightgbm_poisson.txt"))
    cases.add("lightgbm_poisson.txt", "missing", "regression", model.predict(x).reshape(-1, 1), names=names)
    train = lightgbm.Dataset(x[:n], y["multiclass"][:n])
    options = {"objective": "multiclassova", "num_class": 3, "num_leaves": 5, "verbose": -1}
    model = lightgbm.train(options, train, N_TREES)
    model.save_model(cases.path("lightgbm_ova.txt"))
    cases.add("lightgbm_ova.txt", "missing", "multiclass", model.predict(x))

    whole = xgboost.DMatrix(x, feature_names=names)
    train = xgboost.DMatrix(x[:n], np.abs(y["regression"][:n]), feature_names=names)
    model = xgboost.train({"objective": "count:poisson", "max_depth": DEPTH}, train, N_TREES)
    model.save_model(cases.path("xgboost_poisson.json"))
    cases.add("xgboost_poisson.json", "missing", "regression", model.predict(whole).reshape(-1, 1), names=names)
    train = xgboost.DMatrix(x[:n], y["binary"][:n], feature_names=names)
    model = xgboost.train({"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5, "seed": 1,
                           "max_depth": DEPTH, "learning_rate": 1.0}, train, N_TREES)
    model.save_model(cases.path("xgboost_dart.json"))
    cases.add("xgboost_dart.json", "missing", "binary", model.predict(whole).reshape(-1, 1), names=names)
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=DEPTH, learning_rate=1.0, early_stopping_rounds=3)
    model.fit(x[:n], y["binary"][:n], eval_set=[(x[n:], y["binary"][n:])], verbose=False)
    for end in ("json", "ubj"):
        model.get_booster().save_model(cases.path(f"xgboost_stopped.{end}"))
        cases.add(f"xgboost_stopped.{end}", "missing", "binary", scores(model, x, "binary"))
    # Before XGBoost 3 the base score was one number.
    document = json.loads(cases.path("xgboost_stopped.json").read_text())
    parameter = document["learner"]["learner_model_param"]
    old = parameter["base_score"].strip("[]")
    parameter["base_score"] = old
    cases.path("xgboost_scalar.json").write_text(json.dumps(document, separators=(",", ":")))
    cases.add("xgboost_scalar.json", "missing", "binary", scores(model, x, "binary"))
    # UBJSON: a text is `L`, eight bytes of length, and itself.
    new = f"[{old}]".encode()
    binary = cases.path("xgboost_stopped.ubj").read_bytes()
    text = lambda t: b"L" + len(t).to_bytes(8, "big") + t
    assert text(new) in binary
    cases.path("xgboost_scalar.ubj").write_bytes(binary.replace(text(new), text(old.encode())))
    cases.add("xgboost_scalar.ubj", "missing", "binary", scores(model, x, "binary"))


def main():
    every, y = tables()
    for old in OUT.glob("*"):
        old.unlink()
    shown = 60
    cases = Cases(OUT, every)
    n = 240
    sklearn_cases(cases, y, n)
    booster_cases(cases, y, n)
    more_booster_cases(cases, y, n)

    def rows(values):
        return [[None if np.isnan(v) else float(f"{v:.9g}") for v in row] for row in values[:shown]]

    document = {
        "tables": {name: rows(x) for name, x in every.items()},
        "models": [{**c, **{k: rows(c[k]) for k in ("scores", "onnxruntime") if k in c}} for c in cases.cases],
    }
    (OUT / "expected.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
    total = sum(f.stat().st_size for f in OUT.glob("*"))
    print(f"{len(cases.cases)} models, {total} bytes")


if __name__ == "__main__":
    main()
