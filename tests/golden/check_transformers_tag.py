"""Checks that a directory written by `train --task tag` (linear head) is a model for Hugging Face transformers.

    predict --model DIR --input words.txt --logits --output ours.jsonl
    python check_transformers_tag.py DIR --ours ours.jsonl [--tolerance 1e-5]

Loads DIR as BertForTokenClassification without missing or newly initialised weights, runs the "tokens" of each line
as words, one sentence at a time, and compares the logits at first sub-words with "logits", and the best label with
"tags" where task.json says that they were decoded freely. Sentences longer than max_length (which are tagged in
windows) are left out and counted. Exit code 0: all equal; 1: a difference; one line says which.
"""
import argparse
import json
import os
import sys

import numpy as np
import torch
from transformers import AutoTokenizer, BertForTokenClassification


def run(args):
    model, info = BertForTokenClassification.from_pretrained(
        args.directory, output_loading_info=True, attn_implementation="eager", torch_dtype=torch.float32)
    unexpected = [key for key in info["unexpected_keys"] if not key.startswith("head.crf.")]
    if info["missing_keys"] or info["mismatched_keys"] or unexpected:
        raise ValueError(f"{args.directory}: {info}")
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(args.directory)
    with open(os.path.join(args.directory, "task.json"), encoding="utf-8") as f:
        task = json.load(f)
    if [model.config.id2label[i] for i in range(model.config.num_labels)] != task["labels"]:
        raise ValueError(f"{args.directory}: id2label and task.json name other labels")
    worst, sentences, long = 0.0, 0, 0
    with open(args.ours, encoding="utf-8") as f:
        for number, line in enumerate(map(json.loads, f), 1):
            if not line["tokens"]:
                continue
            encoded = tokenizer(line["tokens"], is_split_into_words=True, return_tensors="pt")
            if encoded.input_ids.shape[1] > task["max_length"]:
                long += 1
                continue
            words = encoded.word_ids(0)
            firsts = [i for i, word in enumerate(words) if word is not None and word != words[i - 1]]
            with torch.no_grad():
                logits = model(**encoded).logits[0][firsts].double().numpy()
            ours = np.array(line["logits"])
            if ours.shape != logits.shape:
                raise ValueError(f"{args.ours}:{number}: logits {ours.shape}, wanted {logits.shape}")
            difference = float(np.abs(ours - logits).max())
            if not difference <= args.tolerance:
                raise ValueError(f"{args.ours}:{number}: logits differ by {difference:.2e}")
            best = [model.config.id2label[int(i)] for i in logits.argmax(-1)]
            if task["decode"] == "free" and best != line["tags"]:
                raise ValueError(f"{args.ours}:{number}: tags {line['tags']}, wanted {best}")
            worst, sentences = max(worst, difference), sentences + 1
    print(f"{sentences} sentences, largest difference of the logits {worst:.2e}; {long} left out as too long for one window")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--ours", required=True)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    try:
        run(parser.parse_args())
    except (OSError, ValueError, KeyError) as error:
        print(f"check_transformers_tag: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
