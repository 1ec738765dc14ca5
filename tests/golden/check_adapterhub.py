"""Adapters both ways between this project and AdapterHub's library: equal logits (1e-5) for folders of either.

    python check_adapterhub.py BUILD/tests/test_adapters_hub [FOLDER]
    python check_adapterhub.py --folder OUT [--base DIR]

The first form trades folders with the test program on tiny_bert. The second one loads a folder that `train --tune
adapter --adapter-norms off` wrote, with the class that head_config.json names, and prints the logits of a few texts,
to be compared with those of `predict --logits`.
Needs torch, transformers, adapters 1.3.0 and safetensors.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import adapters
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (AutoTokenizer, BertForQuestionAnswering, BertForSequenceClassification,
                          BertForTokenClassification)

from bert_reference import HERE, pack
from make_bert_golden import TINY_LABELS_A, TINY_TEXTS_A

TINY = os.path.join(HERE, "tiny_bert")
CONFIGS = {"houlsby": adapters.DoubleSeqBnConfig(reduction_factor=32 / 9.5),
           "pfeiffer": adapters.SeqBnConfig(reduction_factor=4)}
TOLERANCE = 1e-5


CLASSES = {BertForSequenceClassification: 3, BertForTokenClassification: 3, BertForQuestionAnswering: 2}


def tiny_model(model_class):
    model = model_class.from_pretrained(TINY, num_labels=CLASSES[model_class])
    adapters.init(model)
    return model.eval()


def tiny_logits(model):
    """[sequences, C] of a sequence classifier, [tokens, C] of the others; start and end are two columns."""
    batch = pack(AutoTokenizer.from_pretrained(TINY), TINY_TEXTS_A, TINY_LABELS_A, 40)
    result, start = [], 0
    with torch.no_grad():
        for length in batch["lengths"].tolist():
            ids, types = (torch.from_numpy(batch[key][start:start + length])[None] for key in ("ids", "types"))
            output = model(input_ids=ids, token_type_ids=types)
            logits = output.logits if "logits" in output else torch.stack([output.start_logits, output.end_logits], -1)
            result.append(logits.reshape(-1, logits.shape[-1]))
            start += length
    return torch.cat(result)


def exchange(program, folder):
    torch.manual_seed(5)
    pairs = [(kind, model_class) for kind in CONFIGS for model_class in CLASSES]
    for kind, model_class in pairs:
        model = tiny_model(model_class)
        model.add_adapter("theirs", config=CONFIGS[kind])
        model.set_active_adapters("theirs")
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if ".adapters." in name or not name.startswith("bert."):
                    parameter.normal_(0, 0.3)
        directory = os.path.join(folder, f"theirs_{kind}_{model_class.__name__}")
        model.save_adapter(directory, "theirs", with_head=True, use_safetensors=True)
        save_file({"logits": tiny_logits(model)}, os.path.join(directory, "logits.safetensors"))
    environment = dict(os.environ, SESAME_ADAPTER_EXCHANGE=folder)
    subprocess.run([program, "--test-case=exchange*"], env=environment, check=True)
    for kind, model_class in pairs:
        model, directory = tiny_model(model_class), os.path.join(folder, f"ours_{kind}_{model_class.__name__}")
        plain = tiny_logits(model)
        model.load_adapter(directory, with_head=True, set_active=True, use_safetensors=True)
        ours = load_file(os.path.join(directory, "logits.safetensors"))["logits"]
        error = (tiny_logits(model) - ours).abs().max().item()
        print(f"{kind}, {model_class.__name__}: logits of our folder in `adapters` differ by {error:.1e} "
              f"(the base alone by {(plain - ours).abs().max().item():.1e})")
        if error >= TOLERANCE:
            sys.exit(f"{kind}: more than {TOLERANCE}")


def show(folder, base):
    with open(os.path.join(folder, "head_config.json"), encoding="utf-8") as file:
        head = json.load(file)
    base = base or head["model_name"]
    labels = {"num_labels": head["num_labels"]} if head.get("num_labels") else {}
    model = getattr(transformers, head["model_class"]).from_pretrained(base, ignore_mismatched_sizes=True, **labels)
    adapters.init(model)
    model.load_adapter(folder, with_head=True, set_active=True, use_safetensors=True)
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    for line in sys.stdin:
        encoded = tokenizer(*line.rstrip("\n").split("\t"), truncation=True, return_tensors="pt")
        with torch.no_grad():
            output = model(**encoded)
        logits = {key: value[0].tolist() for key, value in output.items() if "logits" in key}
        print(json.dumps({"text": line.rstrip("\n"), **logits}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?")
    parser.add_argument("exchange", nargs="?")
    parser.add_argument("--folder")
    parser.add_argument("--base")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    if args.folder:
        show(args.folder, args.base)
    elif args.program:
        with tempfile.TemporaryDirectory() as folder:
            exchange(args.program, args.exchange or folder)
    else:
        parser.error("name the test program or --folder")


if __name__ == "__main__":
    main()
