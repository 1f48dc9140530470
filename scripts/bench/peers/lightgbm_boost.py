"""LightGBM with pandas categories, two threads."""

from _common import arguments, read, say, timed
from lightgbm import LGBMClassifier

train, test, rounds, leaves = arguments()
x, y = read(train)
model = LGBMClassifier(n_estimators=rounds, num_leaves=leaves, learning_rate=0.1, n_jobs=2, verbose=-1)
model, figures = timed(lambda: model.fit(x, y))
x, y = read(test)
say(figures, y, model.predict_proba(x)[:, 1])
