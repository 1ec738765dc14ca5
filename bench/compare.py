#!/usr/bin/env python3
"""Sesame beside PyTorch, Hugging Face and onnxruntime on the same work, on this machine; prints a table of ratios in Markdown.

    bench/compare.py [--cases dense,limit,...] [--data ../shared/data] [--python VENV/bin/python] [--rounds 3]
                     [--output docs/benchmarks.md]

Cases: dense (forward and training steps), limit (the same beside plain GEMM), latency (one sentence), embed (many sentences),
load, tokenizer, finetune (sst2, mrpc, squad), steady (time by tokens, memory by steps). Without --python it makes a virtual
environment in build/bench-venv. Both sides of a case run in turn, A B A B ...; the best of the rounds counts on both sides. Run it
on an idle machine. Cases whose data (--data) or scripts (--peers) are not there are left out, and said to be.
"""
import argparse
import csv
import datetime
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = ["torch", "transformers==4.57.6", "onnx", "onnxruntime", "tokenizers"]
LEFT_OUT = []  # why cases were left out


def arguments(cases):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(cases), help="which, separated by commas (default: all)")
    parser.add_argument("--data", default=os.path.join(ROOT, "../shared/data"), help="folder with sst2/train.tsv and so on")
    parser.add_argument("--peers", default=os.path.join(ROOT, "../shared/peers"), help="folder with hf_squad.py")
    parser.add_argument("--model", default=os.path.join(ROOT, "build/models/minilm"))
    parser.add_argument("--tools", default=os.path.join(ROOT, "build/tools"))
    parser.add_argument("--python", help="an interpreter that has " + ", ".join(PACKAGES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=8000, help="training rows of sst2")
    parser.add_argument("--output", help="file to append the table to")
    args = parser.parse_args()
    args.cases = args.cases.split(",")
    for name in args.cases:
        if name not in cases:
            parser.error(f"unknown case '{name}': expected {', '.join(cases)}")
    return args


def environment():
    python = os.path.join(ROOT, "build/bench-venv/bin/python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", os.path.dirname(os.path.dirname(python))], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def run(command):
    """The JSON objects that a command prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def tool(name, *options):
    return run([os.path.join(args.tools, name), *options])


def script(name, *options):
    return run([PYTHON, os.path.join(ROOT, "bench", name), *options])


def present(case, *paths):
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        LEFT_OUT.append(f"{case}: there is no {os.path.relpath(missing[0], ROOT)}")
        print("left out: " + LEFT_OUT[-1], flush=True)
    return not missing


rows = []


def add(work, ours, theirs, unit, ratio):
    rows.append(f"| {work} | {ours:.4g} {unit} | {theirs:.4g} {unit} | {ratio:.2f} |")
    print(rows[-1], flush=True)


def least(results, key="ms", **wanted):
    return min(r[key] for r in results if all(r[k] == v for k, v in wanted.items()))


def most(results, key, **wanted):
    return max(r[key] for r in results if all(r[k] == v for k, v in wanted.items()))


# --- dense batches ---------------------------------------------------------------------------------------------------------

DENSE = {}  # results of build/tools/bench by size, for two cases


def dense_runs(size):
    if size not in DENSE:
        shape = ["--size", size, "--batch", "8", "--length", "128"]
        ours, eager = [], []
        for _ in range(args.rounds):
            ours += tool("bench", "--json", *shape)
            if "dense" in args.cases:
                eager += script("torch_dense.py", *shape)
        compiled = script("torch_dense.py", *shape, "--only", "train", "--compile") if "dense" in args.cases else []
        DENSE[size] = ours, eager, compiled
    return DENSE[size]


def dense():
    for size in ("base", "minilm"):
        ours, eager, compiled = dense_runs(size)
        a, b = least(ours, what="infer"), least(eager, what="infer")
        add(f"{size} forward 8 x 128, classifier", a, b, "ms", b / a)
        a, b, c = least(ours, what="train"), least(eager, what="train"), least(compiled, what="train")
        add(f"{size} training step 8 x 128, PyTorch eager", a, b, "ms", b / a)
        add(f"{size} training step 8 x 128, PyTorch compiled", a, c, "ms", c / a)


def limit():
    for what, name in (("infer", "forward"), ("train", "training step")):
        result = max((r for r in dense_runs("base")[0] if r["what"] == what), key=lambda r: r["of_gemm"])
        add(f"base {name} 8 x 128, rate beside plain OpenBLAS on its shapes", result["gflops"], result["gemm_gflops"],
            "GFLOP/s", result["of_gemm"])


# --- sentences -------------------------------------------------------------------------------------------------------------


def latency():
    ours, theirs = [], []
    for _ in range(args.rounds):
        ours += tool("bench", "--json", "--size", "minilm", "--batch", "1", "--length", "32", "--only", "embed", "--repeat", "200")
        theirs += script("ort_embed.py", "--model", args.model, "--shapes", "1x32", "--repeat", "200")
    a, b = least(ours), least(theirs, graph="fused")
    add("MiniLM, states of one sentence of 32 tokens, onnxruntime fused", a, b, "ms", b / a)


def sentences(folder, name):
    """The sentences of an sst2 file, one a line."""
    path = os.path.join(folder, name + ".txt")
    with open(os.path.join(args.data, "sst2", name + ".tsv"), encoding="utf-8", newline="") as file, \
            open(path, "w", encoding="utf-8") as out:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            out.write(row["sentence"] + "\n")
    return path


def embed():
    if not present("embed", os.path.join(args.data, "sst2/dev.tsv")):
        return
    with tempfile.TemporaryDirectory() as folder:
        texts = sentences(folder, "dev")
        ours, theirs = [], []
        for _ in range(args.rounds):
            for batch in ("8", "32", "128"):
                ours += tool("bench", "--json", "--model", args.model, "--texts", texts, "--batch", batch, "--repeat", "3")
            theirs += script("ort_embed.py", "--model", args.model, "--texts", texts, "--repeat", "3")
    a = most(ours, "texts_per_second")
    for order, name in (("file", "in their order"), ("length", "sorted by length for it")):
        b = most(theirs, "texts_per_second", order=order)
        add(f"MiniLM, embedding sst2's dev sentences {name}, onnxruntime's best batch", a, b, "texts/s", a / b)


def load():
    if present("load", os.path.join(args.data, "sst2/dev.tsv")):
        with tempfile.TemporaryDirectory() as folder:
            result = tool("bench", "--json", "--model", args.model, "--texts", sentences(folder, "dev"), "--repeat", "5")
        rows.append(f"| loading MiniLM and its tokenizer | {least(result, 'load_ms'):.4g} ms | | |")
        print(rows[-1], flush=True)


def tokenizer():
    if not present("tokenizer", os.path.join(args.data, "sst2/train.tsv")):
        return
    with tempfile.TemporaryDirectory() as folder:
        texts = sentences(folder, "train")
        whole, encode = [], []
        for _ in range(args.rounds):
            whole += script("hf_tokenizer.py", "--model", args.model, "--texts", texts, "--repeat", "2")
            encode += tool("bench", "--json", "--model", args.model, "--texts", texts, "--only", "tokenize", "--repeat", "3")
    a = least(encode, "tokenize_ms")
    for key, name in (("one_by_one_ms", "one by one"), ("batch_ms", "as a batch")):
        b = least(whole, key)
        add(f"tokenizing sst2's training sentences on one thread, tokenizers {name}", a, b, "ms", b / a)


# --- fine-tuning -----------------------------------------------------------------------------------------------------------


def train(train_file, *options):
    with tempfile.TemporaryDirectory() as out:
        return tool("train", "--train", train_file, "--model", args.model, "--out", out, *options)


def finetune():
    glue("sst2", "sst2/train.tsv", args.limit, [])
    glue("mrpc", "mrpc/train.tsv", 2000, ["--text", "#1 String", "--text2", "#2 String", "--label", "Quality"])
    squad()


def glue(preset, name, count, columns):
    path = os.path.join(args.data, name)
    if not present("finetune " + preset, path):
        return
    ours, plain, grouped = [], [], []
    theirs = ["--model", args.model, "--train", path, "--limit", str(count), *columns]
    for _ in range(args.rounds):
        ours += train(path, "--preset", preset, "--limit", str(count), "--epochs", "1", "--lr", "1e-4")
        plain += script("hf_finetune.py", *theirs)
        grouped += script("hf_finetune.py", *theirs, "--group-by-length")
    a = most(ours, "examples_per_second")
    for how, results in (("padded as people run it", plain), ("grouped by length", grouped)):
        b = most(results, "examples_per_second")
        add(f"fine-tuning MiniLM on {preset}, batch 32, {how}", a, b, "examples/s", a / b)
    a, b = least(ours, "peak_memory_bytes"), least(plain, "peak_memory_bytes")
    add(f"fine-tuning MiniLM on {preset}, peak memory (smaller is better)", a / 1e6, b / 1e6, "MB", b / a)


def unpacked(folder, path):
    """A JSON file that may lie there compressed."""
    if os.path.exists(path):
        return path
    target = os.path.join(folder, os.path.basename(path))
    with gzip.open(path + ".gz") as file, open(target, "wb") as out:
        shutil.copyfileobj(file, out)
    return target


def squad():
    data = os.path.join(args.data, "squad/by_article_train.json")
    peer = os.path.join(args.peers, "hf_squad.py")
    if not present("finetune squad", data if os.path.exists(data) else data + ".gz", peer):
        return
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        plain = unpacked(folder, data)
        for _ in range(args.rounds):
            ours += train(plain, "--preset", "squad", "--limit", "300", "--epochs", "1", "--lr", "2e-4")
            theirs += run([PYTHON, peer, "--model", args.model, "--train", plain, "--dev", plain, "--dev-limit", "1", "--limit",
                           "300", "--batch", "16", "--lr", "2e-4"])
    a, b = most(ours, "examples_per_second"), most(theirs, "train_ex_s")
    add("fine-tuning MiniLM on squad windows, batch 16, padded as people run it", a, b, "questions/s", a / b)


# --- what must not grow ----------------------------------------------------------------------------------------------------


def steady():
    def bench(batch):
        return tool("bench", "--json", "--size", "minilm", "--only", "train", "--batch", str(batch), "--length", "128")

    small, large = [], []
    for _ in range(args.rounds):
        small += bench(8)
        large += bench(32)
    a, b = least(large) / 32, least(small) / 8
    add("MiniLM training, time of a sequence of 128 tokens: 32 in a batch, beside 8", a, b, "ms", b / a)
    path = os.path.join(args.data, "sst2/train.tsv")
    if not present("steady", path):
        return
    memory = {}
    for steps in (200, 2000):
        options = ["--preset", "sst2", "--limit", "6000", "--batch-size", "8", "--steps", str(steps), "--lr", "1e-4"]
        memory[steps] = least(train(path, *options), "peak_memory_bytes") / 1e6
    add("MiniLM on sst2, peak memory of 2,000 steps, beside 200", memory[2000], memory[200], "MB", memory[200] / memory[2000])


# ---------------------------------------------------------------------------------------------------------------------------


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        text = file.read()
    name = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
    return f"{name}, {os.cpu_count()} cores, {'AVX-512' if 'avx512f' in text else 'AVX2' if 'avx2' in text else 'no AVX2'}"


def versions():
    ours = subprocess.run([os.path.join(args.tools, "train"), "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    code = ("import importlib.metadata as m; print(', '.join(f'{p} {m.version(p)}' for p in "
            "('torch', 'transformers', 'onnxruntime', 'tokenizers')))")
    theirs = subprocess.run([PYTHON, "-c", code], stdout=subprocess.PIPE, text=True).stdout.strip()
    return f"{ours}; {theirs}"


CASES = {function.__name__: function for function in (dense, limit, latency, embed, load, tokenizer, finetune, steady)}
args = arguments(CASES)
PYTHON = args.python or environment()
for case in args.cases:
    CASES[case]()
table = "\n".join([f"{datetime.date.today()}; {processor()}; {versions()}; best of {args.rounds} rounds in turn.", "",
                   "| work | Sesame | the other | ratio |", "| --- | --- | --- | --- |", *rows, "",
                   *(f"Left out: {reason}." for reason in LEFT_OUT)]) + "\n"
print("\n" + table)
if args.output:
    with open(args.output, "a", encoding="utf-8") as file:
        file.write("\n" + table)
