"""Checks that a directory written by `train --task extract` (linear head) is a model for Hugging Face transformers.

    predict --model DIR --input questions.txt --logits --output ours.jsonl
    python check_transformers_extract.py DIR --texts questions.txt --ours ours.jsonl [--tolerance 1e-4]

questions.txt: a question, a tab and its document on each line (or the document alone, for a model of one text without
a fixed question). Loads DIR strictly as BertForQuestionAnswering, cuts the same windows and compares "logits" of
ours.jsonl. Exit code 0: all equal; 1: a difference; one line says which.
"""
import argparse
import json
import os
import sys

import numpy as np
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer


class Problem(Exception):
    pass


def load(directory):
    """Model, tokenizer and task.json; raises Problem unless the weights of file and model are the same set."""
    model, info = AutoModelForQuestionAnswering.from_pretrained(
        directory, output_loading_info=True, attn_implementation="eager", torch_dtype=torch.float32)
    for key, value in info.items():
        if value:
            raise Problem(f"{directory}: {key}: {sorted(map(str, value))[:3]} of {len(value)}")
    with open(os.path.join(directory, "task.json"), encoding="utf-8") as f:
        return model.eval(), AutoTokenizer.from_pretrained(directory), json.load(f)


def windows(tokenizer, texts, task):
    return tokenizer(*texts, truncation="only_second" if len(texts) == 2 else "only_first",
                     max_length=task["max_length"], stride=task["stride"], return_overflowing_tokens=True)


def compare(where, ours, encoded, model):
    """The largest difference over all windows of one input."""
    worst = 0.0
    counts = len(ours["logits"]["start"]), len(encoded["input_ids"])
    if counts[0] != counts[1]:
        raise Problem(f"{where}: {counts[0]} windows, transformers has {counts[1]}")
    for i, ids in enumerate(encoded["input_ids"]):
        with torch.no_grad():
            output = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([encoded["token_type_ids"][i]]))
        for name, logits in (("start", output.start_logits[0]), ("end", output.end_logits[0])):
            got = np.array(ours["logits"][name][i])
            if got.shape != tuple(logits.shape):
                raise Problem(f"{where}: window {i} has {got.size} tokens, transformers {len(logits)}")
            worst = max(worst, float(np.abs(got - logits.numpy()).max()))
    return worst


def run(args):
    model, tokenizer, task = load(args.directory)
    with open(args.texts, encoding="utf-8", newline="") as f:
        texts = f.read().removesuffix("\n").split("\n")
    with open(args.ours, encoding="utf-8") as f:
        answers = [json.loads(line) for line in f]
    if len(texts) != len(answers):
        raise Problem(f"{args.ours}: {len(answers)} answers for {len(texts)} texts")
    worst, count = 0.0, 0
    for number, (text, ours) in enumerate(zip(texts, answers), 1):
        encoded = windows(tokenizer, text.split("\t"), task)
        count += len(encoded["input_ids"])
        difference = compare(f"{args.ours}:{number}", ours, encoded, model)
        if not difference <= args.tolerance:
            raise Problem(f"{args.ours}:{number}: logits differ by {difference:.2e}")
        worst = max(worst, difference)
    print(f"{len(texts)} inputs in {count} windows, largest difference of the logits {worst:.2e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--texts", required=True)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    try:
        run(parser.parse_args())
    except (Problem, OSError, ValueError, KeyError) as error:
        print(f"check_transformers_extract: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
