"""Makes the small copies of models and data that bench/cuda_pack.sh carries to another machine. Python's library only.

    bench/pack_data.py half MODEL TO          a Hugging Face model with its weights as float16
    bench/pack_data.py base MODEL TO          a BERT-base of random weights (float16) with the tokenizer of MODEL
    bench/pack_data.py table FILE TO ROWS     the first rows of a TSV, header included
    bench/pack_data.py squad FILE TO ROWS     the first questions of a SQuAD file, .gz or not
"""
import gzip
import json
import math
import os
import random
import shutil
import struct
import sys

CHUNK = 1 << 20  # numbers converted at a time


def read_header(file, kinds=("F32",)):
    """Entries of a safetensors file's tensors of these types, and where their data begin."""
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return {name: entry for name, entry in header.items() if entry.get("dtype") in kinds}, file.tell()


def write_header(out, shapes):
    made, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        made[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(made, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    out.write(struct.pack("<Q", len(text)) + text)


def in_chunks(count):
    for begin in range(0, count, CHUNK):
        yield min(CHUNK, count - begin)


def half_weights(source, target):
    with open(source, "rb") as file, open(target, "wb") as out:
        tensors, base = read_header(file)
        write_header(out, {name: entry["shape"] for name, entry in tensors.items()})
        for entry in tensors.values():
            file.seek(base + entry["data_offsets"][0])
            for count in in_chunks(math.prod(entry["shape"])):
                out.write(struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", file.read(4 * count))))


def random_weights(shapes, target):
    """Weights as BERT's are at the start; the same million numbers again and again."""
    draw = random.Random(1)
    drawn = struct.pack(f"<{CHUNK}e", *(draw.gauss(0, 0.02) for _ in range(CHUNK)))
    with open(target, "wb") as out:
        write_header(out, shapes)
        for name, shape in shapes.items():
            block = struct.pack("<e", 1.0 if name.endswith("LayerNorm.weight") else 0.0) * CHUNK if len(shape) == 1 else drawn
            for count in in_chunks(math.prod(shape)):
                out.write(block[:2 * count])


def copy_with_config(model, target, **changes):
    os.makedirs(target, exist_ok=True)
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(os.path.join(model, name), target)
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config.update(changes, torch_dtype="float32")  # what transformers widens the weights to
    with open(os.path.join(target, "config.json"), "w", encoding="utf-8") as out:
        json.dump(config, out, indent=2)
    return config


def half(model, target):
    copy_with_config(model, target)
    half_weights(os.path.join(model, "model.safetensors"), os.path.join(target, "model.safetensors"))


def base(model, target):
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        old = json.load(file)
    new = copy_with_config(model, target, num_hidden_layers=12, hidden_size=768, num_attention_heads=12, intermediate_size=3072)
    sizes = {old[key]: new[key] for key in ("hidden_size", "intermediate_size")}
    with open(os.path.join(model, "model.safetensors"), "rb") as file:
        names = {name: entry["shape"] for name, entry in read_header(file, ("F32", "F16"))[0].items()}
    shapes = {}
    for name, shape in names.items():
        wide = [sizes.get(size, size) for size in shape]
        layers = range(new["num_hidden_layers"]) if ".layer.0." in name else [0] if ".layer." not in name else []
        for layer in layers:
            shapes[name.replace(".layer.0.", f".layer.{layer}.")] = wide
    random_weights(shapes, os.path.join(target, "model.safetensors"))


def table(source, target, rows):
    with open(source, encoding="utf-8", newline="") as file, open(target, "w", encoding="utf-8", newline="") as out:
        for number, line in enumerate(file):
            if number > rows:
                break
            out.write(line)


def squad(source, target, rows):
    with (gzip.open if source.endswith(".gz") else open)(source, "rt", encoding="utf-8") as file:
        whole = json.load(file)
    articles = []
    for article in whole["data"]:
        paragraphs = []
        for paragraph in article["paragraphs"]:
            questions = paragraph["qas"][:rows]
            rows -= len(questions)
            if questions:
                paragraphs.append({"context": paragraph["context"], "qas": questions})
        if paragraphs:
            articles.append({"title": article["title"], "paragraphs": paragraphs})
    with open(target, "w", encoding="utf-8") as out:
        json.dump({"version": whole["version"], "data": articles}, out, ensure_ascii=False)


if __name__ == "__main__":
    what, source, target = sys.argv[1:4]
    if what in ("half", "base"):
        {"half": half, "base": base}[what](source, target)
    else:
        {"table": table, "squad": squad}[what](source, target, int(sys.argv[4]))
