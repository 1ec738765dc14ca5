"""Bag-of-words baselines for the example data: logistic regression without a pretrained model.

Words and word pairs (of each text apart, for pairs) as counts and as tf-idf; for pairs also how many
words the two texts share. The strength C is chosen by five-fold cross-validation on the training
file. Prints the accuracy on the dev file.

    python3 examples/data/bag_of_words.py sentiment pairs

Needs: pip install scikit-learn
"""
import argparse
import csv
import pathlib
import re

from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

STRENGTHS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
TOKEN = r"(?u)\b\w+(?:'\w+)?\b"


def read(path):
  """Texts (one list of columns per row) and labels of a TSV file with a header."""
  with open(path, encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
  columns = [name for name in rows[0] if name.startswith("text")]
  return [[row[name] for name in columns] for row in rows], [row["label"] for row in rows]


def words_of_each(vectorizer, columns):
  """One vocabulary of words and word pairs per text column."""
  parts = [(f"text{i + 1}", vectorizer(ngram_range=(1, 2), token_pattern=TOKEN), i) for i in range(columns)]
  return ColumnTransformer(parts)


def overlap(pairs):
  """Per pair: the number of shared words, and its share of all words of the pair."""
  rows = []
  for pair in pairs:
    first, second = (set(re.findall(TOKEN, text.lower())) for text in pair)
    rows.append([len(first & second), len(first & second) / len(first | second)])
  return rows


def fit(features, texts, labels):
  """A logistic regression on the features, C chosen by cross-validation."""
  model = make_pipeline(features, LogisticRegression(max_iter=5000))
  folds = StratifiedKFold(5, shuffle=True, random_state=0)
  search = GridSearchCV(model, {"logisticregression__C": STRENGTHS}, cv=folds, scoring="accuracy")
  return search.fit(texts, labels)


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("set", nargs="*", default=["sentiment", "pairs"],
                      help="folders that hold train.tsv and dev.tsv (default: the two beside this script)")
  here = pathlib.Path(__file__).resolve().parent
  for name in parser.parse_args().set:
    folder = here / name if (here / name).is_dir() else pathlib.Path(name)
    texts, labels = read(folder / "train.tsv")
    dev_texts, dev_labels = read(folder / "dev.tsv")
    columns = len(texts[0])
    kinds = {"counts": words_of_each(CountVectorizer, columns),
             "tf-idf": words_of_each(TfidfVectorizer, columns)}
    if columns == 2:
      kinds["shared words"] = FunctionTransformer(overlap)
    for kind, features in kinds.items():
      search = fit(features, texts, labels)
      strength = search.best_params_["logisticregression__C"]
      print(f"{name}: {kind}, C {strength:g}: cross-validated {search.best_score_:.3f}, "
            f"dev accuracy {search.score(dev_texts, dev_labels):.3f}")


if __name__ == "__main__":
  main()
