#!/usr/bin/env python3
"""Sesame beside PyTorch and Hugging Face on one GPU: runs both sides in turn on this machine and writes ratios.

    bench/compare_cuda.py --pack build/device-unpacked --output OUT [--cases dense,latency,...] [--budget 400]
    bench/compare_cuda.py --tools build/cuda/tools --peers ../shared/peers --data ../shared/data --model build/models/minilm ...
    bench/compare_cuda.py ... --device cpu --quick       every path at tiny sizes, where there is no GPU

Cases: dense (BERT-base training), latency (MiniLM, one sentence, small batches), attention, losses (float32 against the CPU),
accuracy (bfloat16 against float32), finetune (real lengths), compiled (dense, with torch.compile). Each has its own limit of
time; --budget bounds all of them. OUT/results.jsonl and OUT/table.md are written as results come, so that a run that is cut
short leaves what it has. Ours A, theirs B, A, B, ...: the best of --rounds counts on both sides. Needs torch and transformers.
"""
import argparse
import datetime
import importlib.metadata
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import pack_data

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, "bench")
# Dense bfloat16 TFLOP/s by the name the driver gives, from NVIDIA's data sheets of the H100 (SXM, PCIe), H200 (SXM) and A100
# (tables with sparsity, halved).
PEAKS = {"NVIDIA H100 80GB HBM3": 989.4, "NVIDIA H100 PCIe": 756.5, "NVIDIA H200": 989.4, "NVIDIA A100-SXM4-40GB": 312,
         "NVIDIA A100-SXM4-80GB": 312, "NVIDIA A100-PCIE-40GB": 312, "NVIDIA A100 80GB PCIe": 312}
LAYERS = {"tiny": (2, 128), "minilm": (6, 384), "base": (12, 768)}  # layers and width by name of a size


class OutOfTime(Exception):
    pass


class Failed(Exception):
    """A command that ended with an error; `text` is all that it said."""

    def __init__(self, command, code, text):
        last = (text.strip().splitlines() or [""])[-1]
        super().__init__(f"{os.path.basename(command[0])} ended with {code}: {last}")
        self.text = text


# --- running both sides ----------------------------------------------------------------------------------------------------


def our_environment():
    """Ours find cuBLASLt in Python's packages where the system has none."""
    environment = dict(os.environ)
    try:
        import nvidia
        packages = list(nvidia.__path__)
    except ImportError:
        packages = []
    folders = [os.path.join(package, part, "lib") for package in packages for part in sorted(os.listdir(package))]
    folders = [folder for folder in folders if os.path.isdir(folder)] + [environment.get("LD_LIBRARY_PATH", "")]
    environment["LD_LIBRARY_PATH"] = ":".join(folder for folder in folders if folder)
    return environment


def seconds_left():
    left = min(case_end, run_end) - time.monotonic()
    if left <= 0:
        raise OutOfTime
    return left


def parsed(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def finished(command, code, out, err):
    log.write(f"$ {' '.join(command)}\n{out}{err}\n")
    log.flush()
    if code:
        raise Failed(command, code, err or out)
    return parsed(out)


def in_process(command, environment=None):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                              timeout=seconds_left())
    except subprocess.TimeoutExpired:
        raise OutOfTime from None
    return finished(command, done.returncode, done.stdout, done.stderr)


def tool(name, *options):
    threads = ["--threads", "1"] if args.quick else []
    return in_process([os.path.join(args.tools, name), *map(str, options), *threads], OUR_ENVIRONMENT)


def in_fork(command):
    """A script in a child that has torch and transformers already; importing them takes longer than most cases."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.argv = command
                runpy.run_path(command[0], run_name="__main__")
                code = 0
            except SystemExit as error:
                code = 1 if error.code else 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            try:
                seconds_left()
            except OutOfTime:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise
            time.sleep(0.01)
        out.seek(0), err.seek(0)
        return finished(command, os.waitstatus_to_exitcode(status), out.read(), err.read())


def script(folder, name, *options):
    command = [os.path.join(folder, name), *map(str, options), *(["--threads", "1"] if args.quick else [])]
    if args.fork and "--compile" not in options:  # the compiler has processes of its own
        try:
            return in_fork(command)
        except Failed as error:
            if "fork" not in error.text and "initialization error" not in error.text:
                raise
            args.fork = False  # something has opened the device here; a child cannot use it then
            print("importing torch anew from here on", flush=True)
    return in_process([sys.executable, *command])


def in_turn(ours, theirs):
    """Results of both sides over the rounds: [A, A, ...], [B, B, ...]."""
    a, b = [], []
    for _ in range(args.rounds):
        a += ours()
        b += theirs()
    return a, b


def least(results, key="ms"):
    return min(result[key] for result in results)


def most(results, key):
    return max(result[key] for result in results)


# --- what is written -------------------------------------------------------------------------------------------------------


def record(case, work, ours, theirs, unit, ratio, aim=None, **more):
    """One line of the table. `ratio` above 1: Sesame is faster; `aim` is what it should reach."""
    line = dict(case=case, work=work, ours=ours, theirs=theirs, unit=unit, ratio=ratio, aim=aim, **more)
    rows.append(line)
    results.write(json.dumps(line) + "\n")
    results.flush()
    show = f"{work}: {ours:.4g} {unit}"
    if theirs is not None:
        show += f", theirs {theirs:.4g}"
    print(show + f", {ratio:.3g}" + (f" (aim {aim})" if aim else ""), flush=True)
    write_table()


def write_table():
    lines = [f"{datetime.date.today()}; {DEVICE}; {VERSIONS}; best of {args.rounds} rounds in turn.", "",
             "| work | Sesame | the other | ratio or difference | aim |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        theirs = "" if row["theirs"] is None else f"{row['theirs']:.4g} {row['unit']}"
        lines.append(f"| {row['work']} | {row['ours']:.4g} {row['unit']} | {theirs} | {row['ratio']:.3g} | {row['aim'] or ''} |")
    lines += ["", *(f"Left out: {reason}." for reason in left_out)]
    with open(os.path.join(args.output, "table.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def leave_out(reason):
    left_out.append(reason)
    print("left out: " + reason, flush=True)
    results.write(json.dumps({"left_out": reason}) + "\n")
    results.flush()
    write_table()


# --- cases -----------------------------------------------------------------------------------------------------------------


def half():
    """The type of layers in timings: bfloat16 on a device."""
    return "fp32" if args.device == "cpu" else "bf16"


def repeats(number):
    return 2 if args.quick else number


def train_gflop(size, batch, length):
    """Operations of a training step as ../shared/peers/dense_bert.py counts them."""
    layers, width = LAYERS[size]
    return 3 * (2 * 12 * width * width + 4 * length * width) * layers * batch * length / 1e9


def bench(size, batch, length, only, dtype, repeat):
    return ["bench", "--json", "--size", size, "--batch", batch, "--length", length, "--only", only, "--device", args.device,
            "--dtype", dtype, "--repeat", repeats(repeat), "--warmup", 5]


def dense_peer(size, batch, length, only, dtype, repeat, *more):
    return [args.peers, "dense_bert.py", "--size", size, "--batch", batch, "--length", length, "--only", only, "--device",
            args.device, "--dtype", dtype, "--repeat", repeats(repeat), *more]


SHAPES = [(32, 128), (16, 512), (64, 512)]


def dense():
    size = "tiny" if args.quick else "base"
    for batch, length in [(2, 16)] if args.quick else SHAPES:
        shape = size, batch, length, "train", half(), 20
        a, b = in_turn(lambda: tool(*bench(*shape)), lambda: script(*dense_peer(*shape)))
        ours, theirs = least(a), least(b)
        name = f"{size} training step {half()} {batch} x {length}"
        record("dense", f"{name}, PyTorch eager", ours, theirs, "ms", theirs / ours, aim=1.3, median=least(a, "median_ms"))
        OURS_DENSE[batch, length] = ours
        best = max(a, key=lambda r: r["gflops"])
        record("dense", f"{name}, rate beside plain products of its shapes", best["gflops"] / 1e3, best["gemm_gflops"] / 1e3,
               "TFLOP/s", best["of_gemm"])
        if PEAK:
            counted = train_gflop(size, batch, length) / ours
            for what, rate in (("counted as for PyTorch", counted), ("carried out", best["gflops"] / 1e3)):
                record("dense", f"{name}, share of the card's dense bfloat16 peak, operations {what}", rate, PEAK, "TFLOP/s",
                       rate / PEAK, aim=0.35 if (batch, length) == (64, 512) else None)


def compiled():
    size = "tiny" if args.quick else "base"
    for batch, length in [(2, 16)] if args.quick else SHAPES[:2]:
        shape = size, batch, length, "train", half(), 20
        theirs = least(script(*dense_peer(*shape, "--compile")))
        ours = OURS_DENSE.get((batch, length)) or least(tool(*bench(*shape)))
        record("compiled", f"{size} training step {half()} {batch} x {length}, torch.compile", ours, theirs, "ms", theirs / ours,
               aim=1.05)


def latency():
    size = "tiny" if args.quick else "minilm"
    for what, batch, length, types, repeat in (("infer", 1, 32, ("fp32", half()), 300), ("train", 8, 128, (half(),), 50)):
        for dtype in dict.fromkeys(types):
            shape = size, batch, length, what, dtype, repeat
            a, b = in_turn(lambda: tool(*bench(*shape)), lambda: script(*dense_peer(*shape)))
            ours, theirs = least(a), least(b)
            name = "forward" if what == "infer" else "training step"
            record("latency", f"{size} {name} {dtype} {batch} x {length}, PyTorch eager", ours, theirs, "ms", theirs / ours,
                   aim="under 0.5 ms" if what == "infer" else 2, median=least(a, "median_ms"), their_median=least(b, "median_ms"))


def attention():
    tokens, lengths, widths = (256, (64, 32), (32,)) if args.quick else (16384, (512, 128), (64, 32, 128))
    joined = ["--lengths", ",".join(map(str, lengths)), "--head-widths", ",".join(map(str, widths)), "--heads", 12]
    backends = "flash,math" if args.device == "cpu" else "cudnn,flash"
    for dropout in (0.0, 0.1):
        a, b = in_turn(
            lambda: tool("bench", "--ops", "--only", "attention", "--json", "--batch", tokens // lengths[0], "--length", lengths[0],
                         "--dropout", dropout, "--device", args.device, "--dtype", half(), "--repeat", repeats(10), *joined),
            lambda: script(BENCH, "torch_attention.py", "--backends", backends, "--tokens", tokens, "--dropout", dropout,
                           "--device", args.device, "--dtype", half(), "--repeat", repeats(10), *joined))
        for length in lengths:
            for width in widths:
                compare_attention(a, b, backends.split(","), length, width, dropout)


def compare_attention(a, b, backends, length, width, dropout):
    ours = [r for r in a if (r["length"], r["head_width"]) == (length, width)]
    for backend in backends:
        theirs = [r for r in b if (r["length"], r["head_width"], r["backend"]) == (length, width, backend)]
        name = f"attention {half()}, {length} tokens, heads of {width}, dropout {dropout:g}, {backend}"
        failed = [r["error"] for r in theirs if "error" in r]
        if failed or not theirs:
            leave_out(f"{name}: {failed[0] if failed else 'nothing came'}")
            continue
        for way in ("forward", "backward"):
            x, y = least(ours, way + "_ms"), least(theirs, way + "_ms")
            aim = 0.6 if (length, width, backend) == (512, 64, "cudnn") else None
            record("attention", f"{name}, {way}", x, y, "ms", y / x, aim=aim, tflops=most(ours, way + "_gflops") / 1e3,
                   their_tflops=most(theirs, way + "_gflops") / 1e3)


# --- training on texts -----------------------------------------------------------------------------------------------------

SETS = {  # options of ours, those of theirs, aim of the ratio
    "sst2": (["--preset", "sst2"], ["hf_finetune.py", "--tokenize-first"], 2.5),
    "mrpc": (["--preset", "mrpc"], ["hf_finetune.py", "--tokenize-first", "--text", "#1 String", "--text2", "#2 String", "--label",
                                    "Quality"], 1.8),
    "squad": (["--preset", "squad"], ["hf_extract.py"], 1.2),
}


def data(name):
    path = os.path.join(args.data, name)
    if os.path.exists(path):
        return path
    raise RuntimeError(f"there is no {path}")


def train(path, *options):
    """Ours, in a folder that is not kept; its last line, and the losses of its steps."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "run")
        line = tool("train", "--train", path, "--out", out, "--save-every", 10**9, *options)[-1]
        with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as file:
            line["losses"] = [step["loss"] for step in map(json.loads, file) if "loss" in step]
    return line


def finetune():
    with tempfile.TemporaryDirectory() as folder:
        base = args.model
        if not args.quick:
            base = os.path.join(folder, "base")
            pack_data.base(args.model, base)
        plan = [("BERT-base", base, "sst2", "tokens"), ("BERT-base", base, "mrpc", "tokens"),
                ("BERT-base", base, "squad", "tokens"), ("MiniLM", args.model, "sst2", 8), ("MiniLM", args.model, "sst2", 32),
                ("MiniLM", args.model, "mrpc", 32), ("MiniLM", args.model, "squad", 16)]
        for row in plan[3:4] + plan[6:] + plan[1:2] if args.quick else plan:
            finetune_pair(*row)


def finetune_pair(name, model, preset, batch):
    """One set with batches of equal size on both sides, or ours by a budget of tokens and theirs of as many examples on average."""
    our_options, their_options, aim = SETS[preset]
    path = data(f"{preset}/train.json" if preset == "squad" else f"{preset}/train.tsv")
    limit = (6 if preset == "squad" else 24) if args.quick else {"sst2": 12000, "mrpc": 3600, "squad": 1000}[preset]
    budget = 256 if args.quick else 8192
    ours = ["--model", model, *our_options, "--limit", limit, "--lr", "1e-4", "--device", args.device, "--dtype", half(),
            "--epochs", 1 if args.quick else 5, *(["--batch-tokens", budget] if batch == "tokens" else ["--batch-size", batch])]
    first = train(path, *ours)
    their_batch = batch
    if batch == "tokens":
        their_batch = max(1, round(first["examples"] / first["steps"]))
    theirs = ["--model", model, "--train", path, "--limit", limit, "--batch-size", their_batch, "--lr", "1e-4", "--device",
              args.device, "--dtype", half(), "--warm", 3, *their_options[1:]]
    a, b = [first], script(BENCH, their_options[0], *theirs)
    for _ in range(args.rounds - 1):
        a.append(train(path, *ours))
        b += script(BENCH, their_options[0], *theirs)
    x, y = most(a, "examples_per_second"), most(b, "examples_per_second")
    how = f"{budget} tokens a batch, theirs {their_batch} padded examples" if batch == "tokens" else f"batch {batch}, theirs padded"
    record("finetune", f"fine-tuning {name} on {preset}, {half()}, {how}", x, y, "examples/s", x / y,
           aim=aim if batch == "tokens" else 2 if batch == 8 else None)


def losses():
    """Losses of training steps in float32: the CPU's beside the device's."""
    steps = 4 if args.quick else 100
    common = ["--model", args.model, "--preset", "sst2", "--limit", 64 if args.quick else 3200, "--batch-size", 32, "--lr", "1e-4",
              "--steps", steps]
    path = data("sst2/train.tsv")
    cpu = train(path, *common)["losses"]
    there = train(path, *common, "--device", args.device)["losses"]
    if len(cpu) != steps or len(there) != steps:
        raise RuntimeError(f"{len(cpu)} and {len(there)} losses of {steps} steps")
    worst = max(abs(x - y) / abs(x) for x, y in zip(cpu, there))
    record("losses", f"MiniLM on sst2, float32, largest relative difference of {steps} losses from the CPU's", worst, None, "",
           worst, aim="at most 0.001")


def accuracy():
    path, dev = data("sst2/train.tsv"), data("sst2/dev.tsv")
    common = ["--model", args.model, "--preset", "sst2", "--dev", dev, "--limit", 64 if args.quick else 8000, "--dev-limit",
              32 if args.quick else 872, "--epochs", 1, "--batch-size", 32, "--lr", "1e-4", "--device", args.device]
    single, other = (train(path, *common, "--dtype", dtype)["dev"]["accuracy"] for dtype in ("fp32", half()))
    record("accuracy", f"MiniLM on sst2, dev accuracy in {half()}, beside float32", other, single, "", other - single,
           aim="at least -0.01")


# ---------------------------------------------------------------------------------------------------------------------------

CASES = {dense: 120, latency: 60, attention: 80, losses: 45, accuracy: 60, finetune: 200, compiled: 240}  # seconds at most


def arguments():
    names = [case.__name__ for case in CASES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(names), help="which, separated by commas (default: all)")
    parser.add_argument("--pack", help="unpacked folder of bench/cuda_pack.sh: gives the four below")
    parser.add_argument("--tools", default=os.path.join(ROOT, "build/cuda/tools"))
    parser.add_argument("--peers", default=os.path.join(ROOT, "../shared/peers"), help="folder with dense_bert.py")
    parser.add_argument("--data", default=os.path.join(ROOT, "../shared/data"), help="folder with sst2/train.tsv and so on")
    parser.add_argument("--model", default=os.path.join(ROOT, "build/models/minilm"))
    parser.add_argument("--output", required=True, help="folder for results.jsonl, table.md and commands.log")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--budget", type=float, default=1e9, help="seconds for all cases together")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one thread: tests this script, measures nothing")
    parser.add_argument("--peak", type=float, help="dense bfloat16 TFLOP/s of the card, if its name is not known here")
    parser.add_argument("--no-fork", dest="fork", action="store_false", help="import torch anew for each of their runs")
    args = parser.parse_args()
    if args.pack:
        for name in ("tools", "peers", "data", "model"):
            setattr(args, name, os.path.abspath(os.path.join(args.pack, name)))
    args.cases = args.cases.split(",")
    for name in args.cases:
        if name not in names:
            parser.error(f"unknown case '{name}': expected {', '.join(names)}")
    return args


def device_text():
    if args.device == "cpu":
        return "cpu", "cpu"
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        name, driver = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.splitlines()[0].split(", ")
    except (OSError, IndexError, ValueError):
        return "", "a card that nvidia-smi does not name"
    return name, f"{name}, driver {driver}"


def versions():
    if not os.path.exists(os.path.join(args.tools, "train")):
        sys.exit(f"compare_cuda.py: there is no train in {args.tools}: build it, or name the folder of the programs by --tools")
    ours = subprocess.run([os.path.join(args.tools, "train"), "--version"], stdout=subprocess.PIPE, text=True, env=OUR_ENVIRONMENT)
    theirs = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers"))
    return f"{ours.stdout.strip()}; {theirs}"


def run_case(case):
    global case_end
    case_end = time.monotonic() + CASES[case]
    begin = time.monotonic()
    try:
        seconds_left()
        case()
    except OutOfTime:
        leave_out(f"{case.__name__}: the rest, its time was over after {time.monotonic() - begin:.0f} s")
    except Exception as error:  # the other cases still run
        leave_out(f"{case.__name__}: the rest: {error}")
    print(f"-- {case.__name__}: {time.monotonic() - begin:.0f} s", flush=True)


args = arguments()
os.makedirs(args.output, exist_ok=True)
rows, left_out, OURS_DENSE = [], [], {}
case_end = run_end = time.monotonic() + args.budget
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")  # all that is loaded lies on this machine
OUR_ENVIRONMENT = our_environment()
NAME, DEVICE = device_text()
PEAK = args.peak or PEAKS.get(NAME)
VERSIONS = versions()
if args.fork:
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # asking for devices must not open them before the forks
    import torch  # noqa: F401
    import transformers  # noqa: F401
    from transformers import AutoTokenizer, BertForQuestionAnswering, BertForSequenceClassification  # noqa: F401
with open(os.path.join(args.output, "results.jsonl"), "w", encoding="utf-8") as results, \
        open(os.path.join(args.output, "commands.log"), "w", encoding="utf-8") as log:
    head = {"date": str(datetime.date.today()), "device": DEVICE, "versions": VERSIONS, "peak_tflops": PEAK}
    results.write(json.dumps(head) + "\n")
    write_table()
    for case in CASES:
        if case.__name__ in args.cases:
            run_case(case)
with open(os.path.join(args.output, "table.md"), encoding="utf-8") as file:
    print("\n" + file.read())
