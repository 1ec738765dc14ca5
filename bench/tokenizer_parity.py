#!/usr/bin/env python3
"""Compares tools/tokenize with Hugging Face tokenizers: ids, tokens and offsets of every line, and speed.

    python bench/tokenizer_parity.py --model build/models/minilm --data ../shared/data
    python bench/tokenizer_parity.py --model build/models/minilm --data ../shared/data --speed

Prints one line for each set and configuration: lines compared, lines that differ (the first few are shown). The
configurations are the directory as it is, the same without lower case, and with --all-options every combination of the
normaliser's options (on the Unicode and random sets). Exit code 1 if anything differs.
Needs `pip install tokenizers`.
"""

import argparse
import codecs
import gzip
import itertools
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402

SETS = {
    "sst2": ["sst2/train.tsv", "sst2/dev.tsv"],
    "mrpc": ["mrpc/train.tsv", "mrpc/dev.tsv"],
    "wikitext2": ["wikitext2/train.txt.gz", "wikitext2/valid.txt", "wikitext2/test.txt"],
    "multi30k en": ["multi30k/train.en", "multi30k/val.en"],
    "multi30k de": ["multi30k/train.de", "multi30k/val.de"],
}
WIKIPEDIA = "wikipedia/wiki_en_sample.txt.gz"
OPTIONS = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")


def read(path, limit=-1):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as f:
        data = f.read(limit)
    return data if limit < 0 or len(data) < limit else data[: data.rfind(b"\n") + 1]


def unicode_lines():
    """Every scalar value between letters, but NUL (refused) and the line feed (ends the line)."""
    skip = {0, 10}
    return "".join(f"a{chr(c)}b\n" for c in range(0x110000) if c not in skip and not 0xD800 <= c < 0xE000).encode()


def random_lines(count):
    """Marks in any order, Hangul, ideographs, controls, added tokens, long words."""
    draw = random.Random(1)
    marks = [*range(0x300, 0x370), 0x5B0, 0x5BF, 0x94D, 0x9BC, 0x1B44, 0x302E, 0x302F, 0xA953, 0x1D165, 0x1D16D, 0x8D4,
             0x1DFB, 0x1E947, 0xF71, 0xF73, 0x344, 0x3099]
    bases = [*map(ord, "aeiouAEIOUnß İIıſéÅǰΣςЙ"), 0x1D15E, 0x1D160, 0xAC00, 0xD55C, 0x1100, 0x1161, 0x11A8, 0x4E00,
             0xF900, 0x2F800, 0x1F600, 0x200D, 0xFE0F, 0x37E, 0x2126, 0xFB1D, 0xFB4B, 0xC5, 0x1E9B, 0x3B0, 0xFFFD, 0x7F]
    spelled = ["[SEP]", "[MASK]", "[CLS]", "[UNK]", "[PAD]", "[sep]", "[ MASK ]", "[[SEP]]", " ", "  ", "\t", "\u00a0",
               "\u3000", "x" * 101, "é" * 100, "e\u0301" * 100, "don't", "##ing", "...", "1,000.5", "\u0085", "\u2028"]
    lines = []
    for _ in range(count):
        parts = []
        for _ in range(draw.randint(1, 12)):
            kind = draw.random()
            if kind < 0.35:
                parts.append(chr(draw.choice(bases)))
            elif kind < 0.7:
                parts.append("".join(chr(draw.choice(marks)) for _ in range(draw.randint(1, 4))))
            elif kind < 0.85:
                parts.append(draw.choice(spelled))
            else:
                c = draw.choice([draw.randrange(1, 0x3000), draw.randrange(1, 0x110000)])
                parts.append("?" if c in (10, 13) or 0xD800 <= c < 0xE000 else chr(c))
        lines.append("".join(parts))
    return ("\n".join(lines) + "\n").encode()


def all_sets(data):
    for name, files in SETS.items():
        yield name, b"".join(read(data / file) for file in files)
    yield "wikipedia 20 MB", read(data / WIKIPEDIA, 20_000_000)
    yield from own_sets()


def own_sets():
    yield "unicode a?b", unicode_lines()
    yield "random", random_lines(200_000)


def lines_of(text):
    lines = text.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line[:-1] if line.endswith(b"\r") else line for line in lines]


def reference(directory):
    tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def compare(tool, directory, text, plain_special=False):
    """(lines, differing lines, the first of these)"""
    tokenizer = reference(directory)
    tokenizer.encode_special_tokens = plain_special
    text = text.removeprefix(codecs.BOM_UTF8)  # a mark of the file, which readers drop; Hugging Face's own is given lines
    lines, differing, shown = lines_of(text), 0, []
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        command = [tool, "--model", str(directory), "--input", file.name] + ["--plain-special"] * plain_special
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=1 << 20) as process:
            for begin in range(0, len(lines), 1000):
                chunk = [line.decode() for line in lines[begin : begin + 1000]]
                for source, e in zip(chunk, tokenizer.encode_batch(chunk)):
                    wanted = {"ids": e.ids, "tokens": e.tokens, "offsets": e.offsets}
                    got = process.stdout.readline().decode()
                    if got != json.dumps(wanted, ensure_ascii=False) + "\n" and json.loads(got or "null") != json.loads(
                        json.dumps(wanted)
                    ):
                        differing += 1
                        shown += [(source, wanted, got)] * (len(shown) < 3)
            extra = len(process.stdout.readlines())
        if process.returncode != 0 or extra:
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}, {extra} lines too many")
    return len(lines), differing, shown


def variant(directory, target, **normalizer):
    """The tokenizer of `directory` with other options of the normaliser."""
    root = json.loads((directory / "tokenizer.json").read_text())
    root["normalizer"].update(normalizer)
    target.mkdir()
    (target / "tokenizer.json").write_text(json.dumps(root, ensure_ascii=False))
    return target


def report(name, configuration, result):
    lines, differing, shown = result
    print(f"{name:16} {configuration:28} {lines:9} lines {differing:6} differ", flush=True)
    for source, wanted, got in shown:
        print(f"  {source!r}\n    wanted {wanted}\n    got    {got.rstrip()}")
    return differing


def parity(args):
    total = 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        cased = variant(args.model, scratch / "cased", lowercase=False, strip_accents=None)
        for name, text in all_sets(args.data) if args.data else own_sets():
            total += report(name, "as it is", compare(args.tool, args.model, text))
            total += report(name, "cased", compare(args.tool, cased, text))
        total += report("random", "special tokens plain", compare(args.tool, args.model, random_lines(50_000), True))
        if args.all_options:
            for values in itertools.product((True, False), repeat=len(OPTIONS)):
                options = dict(zip(OPTIONS, values))
                label = "+".join(k for k, v in options.items() if v) or "nothing"
                directory = variant(args.model, scratch / label, **options)
                for name, text in own_sets():
                    total += report(name, label, compare(args.tool, directory, text))
    print(f"differing lines in all: {total}")
    return 1 if total else 0


def cpu_seconds():
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in usage)


def speed(args):
    """Paired CPU seconds on one thread, the best of several turns: the whole program, start and output included, against
    encoding alone in Hugging Face tokenizers (no reading, no printing)."""
    tokenizer = reference(args.model)
    for name, text in all_sets(args.data):
        lines = [line.decode() for line in lines_of(text)][: args.speed_lines]
        size = sum(len(line.encode()) for line in lines) / 1e6
        with tempfile.NamedTemporaryFile() as file:
            file.write("".join(line + "\n" for line in lines).encode())
            file.flush()
            command = [args.tool, "--model", str(args.model), "--input", file.name]
            times = {"ids": [], "full": [], "loop": [], "batch": []}
            for _ in range(args.repeat):
                for key, action in {
                    "ids": lambda: subprocess.run(command + ["--ids-only"], stdout=subprocess.DEVNULL, check=True),
                    "loop": lambda: [tokenizer.encode(line) and None for line in lines],
                    "full": lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True),
                    "batch": lambda: tokenizer.encode_batch(lines) and None,
                }.items():
                    begin = cpu_seconds()
                    action()
                    times[key].append(cpu_seconds() - begin)
        best = {key: min(values) for key, values in times.items()}
        print(
            f"{name:16} {size:6.1f} MB  ids {best['ids']:.3f} s  ids+tokens+offsets {best['full']:.3f} s  "
            f"HF encode {best['loop']:.3f} s  HF encode_batch {best['batch']:.3f} s  "
            f"HF/ids: {best['loop'] / best['ids']:.1f} (encode) {best['batch'] / best['ids']:.1f} (batch)  "
            f"HF/full: {best['loop'] / best['full']:.1f} {best['batch'] / best['full']:.1f}",
            flush=True,
        )
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="directory with tokenizer.json")
    parser.add_argument("--data", type=pathlib.Path, help="directory of the data sets")
    parser.add_argument("--tool", default="build/tools/tokenize")
    parser.add_argument("--all-options", action="store_true", help="every combination of the normaliser's options")
    parser.add_argument("--speed", action="store_true", help="paired times instead of parity (wants --data)")
    parser.add_argument("--speed-lines", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    sys.exit(speed(args) if args.speed else parity(args))


main()
