#!/usr/bin/env python3
"""What each way to adapt a pretrained model costs and gives: one table in Markdown, over several data sets and seeds.

    bench/tune_table.py --data build/data --out runs/tune [--sets sst2,mrpc,ud-upos,squad] [--seeds 3] [--threads 1]

Each cell of the table is a run of tools/train in a folder of its own under --out; runs that are finished already are
not repeated, so the same command goes on where it was stopped. `shared/data/unpack DIR` or your own files make --data:
sst2/ and mrpc/ with train.tsv and dev.tsv, ud_ewt/ and squad/. Stored bytes are those of the weights that the folder
keeps (safetensors); train time is the program's own figure, CPU time that of the whole process, loading and evaluation
included. Checkpoints and whole models are removed once they are measured, unless --keep.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Per set: data, epochs, learning rate of full training, score, seeds at most, options for all modes.
SETS = {
    "sst2": ("sst2/train.tsv", "sst2/dev.tsv", 1, "1e-4", "accuracy", 99, ["--limit", "8000"]),
    "mrpc": ("mrpc/train.tsv", "mrpc/dev.tsv", 2, "1e-4", "accuracy", 99, []),
    "ud-upos": ("ud_ewt/en_ewt-ud-train.conllu", "ud_ewt/en_ewt-ud-dev.conllu", 1, "2e-4", "word_accuracy", 99,
                ["--limit", "4000"]),
    "squad": ("squad/by_article_train.json", "squad/by_article_dev.json", 1, "2e-4", "f1", 1,
              ["--limit", "3000", "--dev-limit", "500"]),
}
LIGHT = ["--lr", "1e-3"]  # what trains little takes a larger rate
FROZEN = ["--tune", "frozen", *LIGHT]
FROZEN_EPOCHS = 10  # times the set's epochs: the trunk runs in the first one only

# Per mode: options with a set whose class is read from the whole text, options with the others.
MODES = {
    "full": ([], []),
    "frozen": ([*FROZEN, "--pool", "mean"], FROZEN),
    "frozen, mlp": ([*FROZEN, "--pool", "cls", "--head", "mlp"], [*FROZEN, "--head", "mlp"]),
    "frozen, mix": ([*FROZEN, "--pool", "mean", "--features", "mix"], [*FROZEN, "--features", "mix"]),
    "adapter 64": (["--tune", "adapter", "--adapter-size", "64", *LIGHT],) * 2,
    "adapter 8": (["--tune", "adapter", "--adapter-size", "8", *LIGHT],) * 2,
    "lora 8": (["--tune", "lora", *LIGHT],) * 2,
    "bitfit": (["--tune", "bitfit", *LIGHT],) * 2,
    "top 2 layers": (["--unfreeze-top", "2"],) * 2,
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default=os.path.join(ROOT, "build/data"))
parser.add_argument("--model", default=os.path.join(ROOT, "build/models/minilm"))
parser.add_argument("--tools", default=os.path.join(ROOT, "build/tools"))
parser.add_argument("--out", required=True, help="folder of the runs, and of table.md")
parser.add_argument("--sets", default=",".join(SETS))
parser.add_argument("--modes", default="", help=f"some of: {'; '.join(MODES)} (separated by ;)")
parser.add_argument("--seeds", type=int, default=3, help="squad always has one")
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--keep", action="store_true", help="keep checkpoints and whole models")
parser.add_argument("--table-only", action="store_true", help="no runs: the table of those that are finished")
args = parser.parse_args()
chosen_sets = args.sets.split(",")
chosen_modes = [m.strip() for m in args.modes.split(";")] if args.modes else list(MODES)
for given, known, option in ((chosen_sets, SETS, "--sets"), (chosen_modes, MODES, "--modes")):
    for name in given:
        if name not in known:
            sys.exit(f"{option}: '{name}' is not known: expected some of {', '.join(known)}")


def folder_of(name, mode, seed):
    return os.path.join(args.out, f"{name}-{mode.replace(', ', '-').replace(' ', '-')}-{seed}")


def weights_bytes(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.name.endswith(".safetensors"))


def run(name, mode, seed):
    """Trains, and leaves measured.json in the run's folder as the sign that the row is done."""
    train, dev, epochs, lr, _, _, options = SETS[name]
    folder = folder_of(name, mode, seed)
    if os.path.exists(os.path.join(folder, "measured.json")):
        return
    if mode.startswith("frozen"):
        epochs *= FROZEN_EPOCHS
    command = [os.path.join(args.tools, "train"), "--preset", name, "--train", os.path.join(args.data, train),
               "--dev", os.path.join(args.data, dev), "--model", args.model, "--out", folder, "--overwrite",
               "--epochs", str(epochs), "--lr", lr, "--seed", str(seed), "--threads", str(args.threads), *options,
               *MODES[mode][0 if name in ("sst2", "mrpc") else 1]]
    # One evaluation, at the end: train evaluates after each epoch otherwise.
    command += ["--eval-every", "1000000000"]
    print(f"{name}, {mode}, seed {seed}", flush=True)
    with open(folder + ".log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}\nfailed: see {folder}.log")
    result = json.loads(output.splitlines()[-1])
    result["stored_bytes"] = weights_bytes(folder)
    result["cpu_seconds"] = usage.ru_utime + usage.ru_stime
    if not args.keep:
        shutil.rmtree(os.path.join(folder, "checkpoints"), ignore_errors=True)
        if os.path.exists(os.path.join(folder, "model.safetensors")):
            os.remove(os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "measured.tmp"), "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.replace(os.path.join(folder, "measured.tmp"), os.path.join(folder, "measured.json"))


def row(name, mode, results):
    score = [r["dev"][SETS[name][4]] for r in results]
    digits = 1 if name == "squad" else 3
    mean = lambda key: statistics.mean(r[key] for r in results)
    spread = f" ± {statistics.stdev(score):.{digits}f}" if len(score) > 1 else ""
    return (f"| {name} | {mode} | {statistics.mean(score):.{digits}f}{spread} | {len(score)} | {mean('trainable_parameters'):,.0f} | "
            f"{mean('stored_bytes') / 1e6:.2f} | {mean('train_seconds'):.0f} | {mean('cpu_seconds'):.0f} | "
            f"{mean('peak_memory_bytes') / 1e6:.0f} |")


def write_table():
    lines = ["| set | trained | score | seeds | parameters | stored MB | train s | CPU s | peak MB |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for name in chosen_sets:
        for mode in chosen_modes:
            files = [os.path.join(folder_of(name, mode, s), "measured.json") for s in range(1, args.seeds + 1)]
            results = [json.load(open(f, encoding="utf-8")) for f in files if os.path.exists(f)]
            if results:
                lines.append(row(name, mode, results))
    with open(os.path.join(args.out, "table.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return "\n".join(lines)


os.makedirs(args.out, exist_ok=True)
for seed in range(1, args.seeds + 1):  # a whole table early, then better ones
    for name in chosen_sets:
        for mode in chosen_modes:
            if not args.table_only and seed <= SETS[name][5]:
                run(name, mode, seed)
                write_table()
print(write_table())
