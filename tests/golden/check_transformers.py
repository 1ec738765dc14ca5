"""Checks that a directory written by `train` (linear head, task classify) is a model for Hugging Face transformers.

    predict --model DIR --input texts.txt --logits --output ours.jsonl
    python check_transformers.py DIR --texts texts.txt --ours ours.jsonl [--max-length 128] [--tolerance 1e-5]

texts.txt: one input a line, two texts separated by a tab. Loads DIR strictly (no missing, unexpected, mismatched or
newly initialised weights), runs the texts one at a time and compares the logits with "logits" of ours.jsonl, the
label with the largest logit by id2label, and the scores where they are softmax or sigmoid of the logits.
Exit code 0: all equal; 1: a difference; one line says which.
"""
import argparse
import json
import logging
import os
import sys

import numpy as np
import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer


class Problem(Exception):
    pass


def load(directory):
    """Model and tokenizer; raises Problem unless the weights of the file and of the model are the same set."""
    if not os.path.isdir(directory):
        raise Problem(f"{directory}: no such directory")
    messages = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    transformers.logging.set_verbosity_warning()
    logging.getLogger("transformers").addHandler(handler)
    model, info = AutoModelForSequenceClassification.from_pretrained(
        directory, output_loading_info=True, attn_implementation="eager", torch_dtype=torch.float32)
    logging.getLogger("transformers").removeHandler(handler)
    for key, value in info.items():
        if value:
            raise Problem(f"{directory}: {key}: {sorted(map(str, value))[:3]} of {len(value)}")
    for message in messages:
        if "newly initialized" in message or "were not used" in message:
            raise Problem(f"{directory}: {' '.join(message.split())}")
    return model.eval(), AutoTokenizer.from_pretrained(directory)


def check_labels(directory, model):
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    names = config.get("id2label")
    if not names:
        raise Problem(f"{directory}/config.json: no id2label")
    if sorted(map(int, names)) != list(range(len(names))):
        raise Problem(f"{directory}/config.json: id2label has the keys {sorted(names)}")
    if len(names) != model.classifier.out_features:
        raise Problem(f"{directory}/config.json: {len(names)} labels for {model.classifier.out_features} logits")
    if config.get("label2id") != {name: int(i) for i, name in names.items()}:
        raise Problem(f"{directory}/config.json: label2id is not the inverse of id2label")


def check_answer(where, ours, logits, config, tolerance):
    """One line of predict against the logits [C]; returns the largest difference."""
    got = np.atleast_1d(np.array(ours["logits"], dtype=np.float64))
    if got.shape != logits.shape:
        raise Problem(f"{where}: {got.size} logits, wanted {logits.size}")
    difference = float(np.abs(got - logits).max())
    if not difference <= tolerance:
        raise Problem(f"{where}: logits {got.tolist()}, transformers {logits.tolist()}, differ by {difference:.2e}")
    if config.num_labels > 1 and isinstance(ours.get("label"), str):
        top = np.sort(logits)[::-1]
        label = config.id2label[int(np.argmax(logits))]
        if ours["label"] != label and top[0] - top[1] > 2 * tolerance:
            raise Problem(f"{where}: label {ours['label']!r}, transformers {label!r}")
    scores = ours.get("scores")
    if config.num_labels > 1 and scores:
        if isinstance(scores, dict):
            scores = [scores[config.id2label[i]] for i in range(config.num_labels)]
        if config.problem_type == "multi_label_classification":
            wanted = 1 / (1 + np.exp(-logits))
        else:
            wanted = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        if not np.abs(np.array(scores) - wanted).max() <= tolerance:
            raise Problem(f"{where}: scores {scores}, transformers {wanted.tolist()}")
    return difference


def max_length(args, tokenizer):
    """--max-length, else max_length of task.json where it has one, else 128."""
    path = os.path.join(args.directory, "task.json")
    stored = None
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            stored = json.load(f).get("max_length")
    return min(args.max_length or stored or 128, tokenizer.model_max_length)


def run(args):
    model, tokenizer = load(args.directory)
    check_labels(args.directory, model)
    with open(args.texts, encoding="utf-8", newline="") as f:
        texts = f.read().replace("\r\n", "\n").removesuffix("\n").split("\n")
    with open(args.ours, encoding="utf-8") as f:
        answers = [json.loads(line) for line in f]
    if len(texts) != len(answers):
        raise Problem(f"{args.ours}: {len(answers)} answers for {len(texts)} texts")
    worst, limit = 0.0, max_length(args, tokenizer)
    for number, (text, ours) in enumerate(zip(texts, answers), 1):
        if "logits" not in ours:
            raise Problem(f"{args.ours}:{number}: no \"logits\"; run predict with --logits")
        encoded = tokenizer(*text.split("\t"), truncation="longest_first", max_length=limit, return_tensors="pt")
        with torch.no_grad():
            logits = model(**encoded).logits[0].double().numpy()
        worst = max(worst, check_answer(f"{args.ours}:{number}", ours, logits, model.config, args.tolerance))
    print(f"{len(texts)} texts, largest difference of the logits {worst:.2e}, labels {model.config.id2label}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--texts", required=True)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--max-length", type=int, help="default: max_length of task.json, else 128")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    try:
        run(parser.parse_args())
    except (Problem, OSError, ValueError) as error:
        print(f"check_transformers: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
