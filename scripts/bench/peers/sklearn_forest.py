"""scikit-learn's random forest, 100 trees of depth 10, two jobs."""

from _common import arguments, read, say, timed
from sklearn.ensemble import RandomForestClassifier

train, test, _, _ = arguments()
x, y = read(train, as_category=False)
model = RandomForestClassifier(n_estimators=100, max_depth=10, n_jobs=2, random_state=1)
model, figures = timed(lambda: model.fit(x, y))
x, y = read(test, as_category=False)
say(figures, y, model.predict_proba(x)[:, 1])
