"""XGBoost's histogram trees, grown leaf by leaf to as many leaves, two threads."""

from _common import arguments, read, say, timed
from xgboost import XGBClassifier

train, test, rounds, leaves = arguments()
x, y = read(train)
model = XGBClassifier(
    n_estimators=rounds, max_leaves=leaves, max_depth=0, grow_policy="lossguide", learning_rate=0.1,
    tree_method="hist", enable_categorical=True, n_jobs=2,
)
model, figures = timed(lambda: model.fit(x, y))
x, y = read(test)
say(figures, y, model.predict_proba(x)[:, 1])
