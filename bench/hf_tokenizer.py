"""Hugging Face's fast tokenizer on the lines of a file, one thread: the other side of tokenize_ms of `build/tools/bench --texts`.

Prints one JSON object: milliseconds of encoding line by line and of one batch, minimum of --repeat. Needs tokenizers.
"""
import argparse
import json
import os
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--texts", required=True)
parser.add_argument("--repeat", type=int, default=5)
args = parser.parse_args()
tokenizer = tokenizers.Tokenizer.from_file(os.path.join(args.model, "tokenizer.json"))
tokenizer.no_truncation()
tokenizer.no_padding()
with open(args.texts, encoding="utf-8") as file:
    lines = file.read().splitlines()


def best(action):
    times = []
    for _ in range(args.repeat):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return round(min(times) * 1e3, 2)


print(json.dumps({"what": "tokenizer", "one_by_one_ms": best(lambda: [tokenizer.encode(line) and None for line in lines]),
                  "batch_ms": best(lambda: tokenizer.encode_batch(lines) and None)}))
