#!/usr/bin/env python3
"""Sesame and PyTorch / Hugging Face on the same work, on this machine, in turn; prints a table of ratios in Markdown.

    bench/compare.py [--data ../shared/data] [--python VENV/bin/python] [--rounds 3] [--output docs/benchmarks.md]

Without --python it makes a virtual environment in build/bench-venv with torch and transformers. Each case runs A B A B ...;
the best of the rounds counts on both sides. Run it on an idle machine.
"""
import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default=os.path.join(ROOT, "../shared/data"), help="folder with sst2/train.tsv and so on")
parser.add_argument("--model", default=os.path.join(ROOT, "build/models/minilm"))
parser.add_argument("--tools", default=os.path.join(ROOT, "build/tools"))
parser.add_argument("--python", help="an interpreter that has torch and transformers")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--limit", type=int, default=8000, help="training rows of the fine-tuning case")
parser.add_argument("--skip", default="", help="cases to leave out: dense, finetune")
parser.add_argument("--output", help="file to write the table to as well")
args = parser.parse_args()


def environment():
    python = os.path.join(ROOT, "build/bench-venv/bin/python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", os.path.dirname(os.path.dirname(python))], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "transformers"], check=True)
    return python


PYTHON = args.python or environment()


def objects(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def best(results, key, better):
    return better(r[key] for r in results)


rows = []


def add(work, ours, theirs, unit, ratio):
    rows.append(f"| {work} | {ours:.4g} {unit} | {theirs:.4g} {unit} | {ratio:.2f} |")
    print(rows[-1], flush=True)


def dense(size, batch, length):
    shape = ["--size", size, "--batch", str(batch), "--length", str(length)]
    ours, theirs = {"infer": [], "train": []}, {"infer": [], "train": []}
    for _ in range(args.rounds):
        for result in objects([os.path.join(args.tools, "bench"), "--json", *shape]):
            ours[result["what"]].append(result)
        for result in objects([PYTHON, os.path.join(ROOT, "bench/torch_dense.py"), *shape]):
            theirs[result["what"]].append(result)
    for what, name in (("infer", "forward"), ("train", "training step")):
        a, b = best(ours[what], "ms", min), best(theirs[what], "ms", min)
        add(f"{size} {name} {batch} x {length}", a, b, "ms", b / a)
    rate, gemm = best(ours["train"], "gflops", max), best(ours["train"], "gemm_gflops", max)
    print(f"  {size}: training at {rate:.0f} GFLOP/s, plain GEMM on its shapes at {gemm:.0f}", flush=True)


def finetune():
    train = os.path.join(args.data, "sst2/train.tsv")
    if not os.path.exists(train):
        return print(f"fine-tuning left out: there is no {train}")
    ours, plain, grouped = [], [], []
    theirs = [PYTHON, os.path.join(ROOT, "bench/hf_finetune.py"), "--model", args.model, "--train", train,
              "--limit", str(args.limit)]
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as out:
            ours += objects([os.path.join(args.tools, "train"), "--preset", "sst2", "--train", train, "--limit", str(args.limit),
                             "--epochs", "1", "--lr", "1e-4", "--model", args.model, "--out", out])
        plain += objects(theirs)
        grouped += objects(theirs + ["--group-by-length"])
    a = best(ours, "examples_per_second", max)
    for name, results in (("padded as people run it", plain), ("grouped by length", grouped)):
        b = best(results, "examples_per_second", max)
        add(f"fine-tuning MiniLM on sst2, batch 32, {name}", a, b, "examples/s", a / b)
    a, b = best(ours, "peak_memory_bytes", min), best(plain, "peak_memory_bytes", min)
    add("the same, peak memory (smaller is better)", a / 1e6, b / 1e6, "MB", b / a)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        text = file.read()
    name = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
    return f"{name}, {os.cpu_count()} cores, {'AVX-512' if 'avx512f' in text else 'AVX2' if 'avx2' in text else 'no AVX2'}"


version = subprocess.run([os.path.join(args.tools, "train"), "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
torch = subprocess.run([PYTHON, "-c", "import torch, transformers; print('torch', torch.__version__, 'transformers', "
                        "transformers.__version__)"], stdout=subprocess.PIPE, text=True).stdout.strip()
if "dense" not in args.skip:
    dense("base", 8, 128)
    dense("minilm", 8, 128)
if "finetune" not in args.skip:
    finetune()
table = "\n".join([f"{datetime.date.today()}; {processor()}; {version}; {torch}; best of {args.rounds} rounds in turn.", "",
                   "| work | Sesame | PyTorch / Hugging Face | ratio |", "| --- | --- | --- | --- |", *rows, ""])
print("\n" + table)
if args.output:
    with open(args.output, "a", encoding="utf-8") as file:
        file.write("\n" + table)
