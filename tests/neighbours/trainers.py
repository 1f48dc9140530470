"""Real LightGBM, CatBoost and scikit-learn fit by `[trainer] command`, by the scripts of examples/trainers."""
import json
import subprocess

from _common import CHURN, ROOT, environment, mlloop, version, workplace

PYTHON = environment(
    "trainers", "pandas>=2", "lightgbm>=4,<5", "catboost>=1.2,<2", "scikit-learn>=1.4", "skl2onnx>=1.17", "onnxruntime>=1.17")
SECRET = "hunter2-of-the-loop"

# Runs a trainer as mlloop does, and keeps what it was given, what it made, and the secrets that it can see.
SPY = """
import json, os, shutil, subprocess, sys
at = {name: sys.argv[sys.argv.index(name) + 1] for name in ("--parameters", "--output")}
with open("seen.json", "w") as file:
    json.dump([name for name, value in os.environ.items() if "hunter2" in value], file)
shutil.copy(at["--parameters"], "seen-parameters.json")
status = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
if status == 0:
    shutil.copy(at["--output"], "seen.model")
sys.exit(status)
"""

# What each tool itself says of the table, with the columns that mlloop derived.
SCORES = """
import json, sys, pandas
told = json.load(open("seen-parameters.json"))
table = pandas.concat([pandas.read_csv(sys.argv[2]), pandas.read_csv("features.csv").drop(columns="customer")], axis=1)
x = table[[f["name"] for f in told["features"] if f["kind"] == "number"]]
if sys.argv[1] == "lightgbm":
    import lightgbm
    scores, tool = lightgbm.Booster(model_file="seen.model").predict(x), lightgbm
else:
    import onnxruntime
    session = onnxruntime.InferenceSession("seen.model")
    found = session.run(None, {session.get_inputs()[0].name: x.to_numpy("float32")})[1]
    scores = [row[1] for row in found]
    tool = __import__(sys.argv[1])
print(json.dumps({"version": tool.__version__, "scores": [float(score) for score in scores]}))
"""

# Numbers without missing cells, some of which are derived.
CONFIG = """
[data]
reference = %(table)s
[target]
column = "churn"
[columns]
customer = "id"
contract = "category"
months = "number"
internet = "category"
paperless = "category"
monthly_charge = "number"
total_charge = "number"
support_calls = "number"
churn = "category"
[features]
drop = ["total_charge"]
[features.derived]
total = "coalesce(total_charge, 0)"
a_month = "total / max(months, 1)"
is_long = "months > 24"
of_contract = "monthly_charge - mean(monthly_charge) by contract"
[trainer]
command = %(command)s
minutes = 5
"""


def loop(work, tool):
    home = work / tool
    home.mkdir()
    command = [str(PYTHON), "spy.py", str(ROOT / f"examples/trainers/train_{tool}.py")]
    (home / "spy.py").write_text(SPY)
    (home / "mlloop.toml").write_text(CONFIG % {"table": json.dumps(str(CHURN)), "command": json.dumps(command)})
    return home


def main():
    work, versions = workplace(), []
    for tool, module in (("lightgbm", "lightgbm"), ("catboost", "catboost"), ("sklearn", "sklearn")):
        home = loop(work, tool)
        mlloop("train", "--json", cwd=home, env={"MLLOOP_TOKEN": SECRET, "MLLOOP_WEBHOOK_URL": f"https://x/{SECRET}"})
        assert json.loads((home / "seen.json").read_text()) == [], "a secret was handed over"
        with open(home / "models/v0001/manifest.json") as file:
            auc = json.load(file)["gate"]["metrics"]["roc_auc"]["value"]
        assert auc > 0.7, (tool, auc)
        mlloop("features", CHURN, "-o", "features.csv", cwd=home)
        done = subprocess.run([PYTHON, "-c", SCORES, module, CHURN], cwd=home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        said = json.loads(done.stdout.strip().splitlines()[-1])
        versions.append(f"{tool} {said['version']}")
        out, _ = mlloop("predict", CHURN, "--columns", "score", cwd=home)
        ours = [float(line) for line in out.split()[1:]]
        worst = max(abs(a - b) for a, b in zip(ours, said["scores"], strict=True))
        assert worst < 1e-5, (tool, worst)
        # What fails is told by its last line, and changes nothing.
        config = (home / "mlloop.toml").read_text()
        (home / "mlloop.toml").write_text(config.replace(f"train_{tool}.py", "no_such.py"))
        _, err = mlloop("train", cwd=home, status=2)
        assert "failed (exit status: 2)" in err and "no_such.py" in err, err
        (home / "mlloop.toml").write_text(config.replace("minutes = 5", "minutes = 0.001"))
        _, err = mlloop("train", cwd=home, status=2)
        assert "took longer than 0.001 minutes and was ended" in err, err
        out, _ = mlloop("status", "--json", cwd=home)
        assert "v0002" not in out, out
    version(", ".join(versions))


if __name__ == "__main__":
    main()
