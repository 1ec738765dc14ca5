"""Writes metrics_golden.json: scores of scikit-learn and scipy that tests/test_metrics.cpp must reproduce.

    python3 tests/golden/make_metrics_golden.py      (needs numpy, scikit-learn, scipy)
"""
import json
import pathlib
import warnings

import numpy as np
from scipy import stats
from sklearn import metrics

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)


def classes(gold, predicted, count):
    last = 1 if count == 2 else None
    return {
        "classes": count, "gold": list(map(int, gold)), "predicted": list(map(int, predicted)),
        "accuracy": metrics.accuracy_score(gold, predicted),
        "f1": metrics.f1_score(gold, predicted, pos_label=1, zero_division=0) if last
              else metrics.f1_score(gold, predicted, average="macro", zero_division=0),
        "macro_f1": metrics.f1_score(gold, predicted, average="macro", zero_division=0),
        "mcc": metrics.matthews_corrcoef(gold, predicted),
        "confusion": metrics.confusion_matrix(gold, predicted, labels=range(count)).tolist(),
    }


def multi_label(gold, predicted):
    return {
        "classes": gold.shape[1], "gold": gold.ravel().tolist(), "predicted": predicted.ravel().tolist(),
        "accuracy": metrics.accuracy_score(gold, predicted),
        "micro_f1": metrics.f1_score(gold, predicted, average="micro", zero_division=0),
        "macro_f1": metrics.f1_score(gold, predicted, average="macro", zero_division=0),
    }


def numbers(gold, predicted):
    none_if_nan = lambda x: None if np.isnan(x) else float(x)
    return {
        "gold": list(map(float, gold)), "predicted": list(map(float, predicted)),
        "pearson": none_if_nan(stats.pearsonr(gold, predicted).statistic),
        "spearman": none_if_nan(stats.spearmanr(gold, predicted).statistic),
        "mse": metrics.mean_squared_error(gold, predicted),
    }


def noisy(gold, count, share):
    return np.where(rng.random(gold.size) < share, rng.integers(0, count, gold.size), gold)


binary, five = rng.integers(0, 2, 60), rng.integers(0, 5, 80)
sparse = rng.choice([0, 2, 3], 40)  # class 1 and 4 never occur in gold
rows = rng.random((25, 4)) < [0.5, 0.2, 0.1, 0.0]
flips = rng.random((25, 4)) < [0.2, 0.2, 0.1, 0.0]
half = np.round(rng.random(50) * 10) / 2  # many ties
golden = {
    "classification": [
        classes(binary, noisy(binary, 2, 0.4), 2),
        classes(five, noisy(five, 5, 0.5), 5),
        classes(sparse, np.where(rng.random(40) < 0.3, 4, sparse), 5),
        classes(np.zeros(6), np.zeros(6), 2),
        classes(np.array([0, 1, 0, 1]), np.ones(4), 2),
        classes(np.array([0, 1]), np.array([1, 0]), 2),
    ],
    "multi_label": [multi_label(rows.astype(int), (rows ^ flips).astype(int)), multi_label(np.eye(3, dtype=int), np.zeros((3, 3), int))],
    "regression": [
        numbers(half, half + rng.normal(size=50)),
        numbers(half, np.round(half + rng.normal(size=50))),
        numbers(rng.normal(size=30) * 1e-3 + 1e3, rng.normal(size=30)),
        numbers(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])),
        numbers(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])),
    ],
}
path = pathlib.Path(__file__).with_name("metrics_golden.json")
path.write_text(json.dumps(golden) + "\n")
