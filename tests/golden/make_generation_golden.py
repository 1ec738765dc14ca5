"""Writes generation_golden.safetensors; see README.md for its content.

    python make_generation_golden.py [--out DIR]

Needs torch, transformers, numpy and safetensors. Everything is float64, run sequence by sequence without padding.
"""
import argparse
import os

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

from bert_reference import HERE, PROJECTIONS, project, save_golden, splitmix64

TINY = os.path.join(HERE, "tiny_bert")
BEGIN, END = 2, 3  # [CLS], [SEP]
DECODER_VOCAB, DECODER_LAYERS = 20, 2


def draw_weights(parameters):
    """Fills parameters (name -> tensor) with values that the tests compute for themselves: element e of the p-th name
    in sorted order is uniform in +-0.3 from splitmix64(p * 2^32 + e), plus 1 in LayerNorm weights, rounded to float32."""
    with torch.no_grad():
        for p, name in enumerate(sorted(parameters)):
            tensor = parameters[name]
            bits = splitmix64(np.arange(tensor.numel(), dtype=np.uint64) + np.uint64(p << 32))
            values = (bits >> np.uint64(11)).astype(np.float64) * 2.0 ** -53 - 0.5
            values = (values * 0.6 + name.endswith("LayerNorm.weight")).astype(np.float32).astype(np.float64)
            tensor.copy_(torch.from_numpy(values.reshape(tuple(tensor.shape))))


def draw_examples(target_vocab):
    """Sources with two texts or one, targets of 0 to 7 tokens."""
    random = np.random.RandomState(3)
    examples = []
    for first, second, target in [(3, 0, 4), (9, 5, 7), (1, 0, 0), (4, 11, 1)]:
        source = [2, *random.randint(5, 64, first), 3]
        types = [0] * len(source)
        if second:
            source += [*random.randint(5, 64, second), 3]
            types += [1] * (second + 1)
        examples.append(([int(i) for i in source], types, [int(i) for i in random.randint(5, target_vocab, target)]))
    return examples


def store_examples(store, prefix, examples):
    for key, parts in zip(("ids", "types", "targets"), zip(*examples)):
        store[prefix + key] = np.array(sum(parts, []), dtype=np.int64)
    store[prefix + "lengths"] = np.array([len(e[0]) for e in examples], dtype=np.int64)
    store[prefix + "target_lengths"] = np.array([len(e[2]) for e in examples], dtype=np.int64)


def store_results(store, prefix, logits, examples, parameters):
    labels = torch.tensor(sum([e[2] + [END] for e in examples], []))
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    store[prefix + "logits"] = logits.detach().numpy()
    store[prefix + "loss"] = np.array(loss.item())
    for name, parameter in parameters.items():
        gradient = parameter.grad.numpy()
        store[prefix + "grad_norm." + name] = np.array(np.linalg.norm(gradient))
        store[prefix + "grad_projection." + name] = project(gradient, PROJECTIONS)


def make_decoder(store):
    """Version 1: tiny_bert as encoder, Hugging Face's BertModel as a decoder with cross-attention."""
    encoder = BertModel.from_pretrained(TINY, attn_implementation="eager", add_pooling_layer=False).double().eval()
    config = BertConfig(**{**encoder.config.to_dict(), "vocab_size": DECODER_VOCAB, "num_hidden_layers": DECODER_LAYERS,
                           "type_vocab_size": 1, "is_decoder": True, "add_cross_attention": True})
    config._attn_implementation = "eager"
    decoder = BertModel(config, add_pooling_layer=False).double().eval()
    bias = torch.nn.Parameter(torch.zeros(DECODER_VOCAB, dtype=torch.float64))
    with torch.no_grad():
        decoder.embeddings.token_type_embeddings.weight.zero_()  # ours has none
    named = {"head.decoder." + n.replace("encoder.layer.", "layer."): p for n, p in decoder.named_parameters()
             if "token_type" not in n}
    named["head.decoder.bias"] = bias
    draw_weights(named)
    words = decoder.embeddings.word_embeddings.weight
    examples = draw_examples(DECODER_VOCAB)
    rows = []
    for source, types, target in examples:
        memory = encoder(input_ids=torch.tensor([source]), token_type_ids=torch.tensor([types])).last_hidden_state
        states = decoder(input_ids=torch.tensor([[BEGIN] + target]), encoder_hidden_states=memory).last_hidden_state[0]
        rows.append(states @ words.T + bias)
    named.update({"bert." + n: p for n, p in encoder.named_parameters()})
    store_examples(store, "decoder.", examples)
    store_results(store, "decoder.", torch.cat(rows), examples, named)


def make_self(store):
    """Version 2: BertForMaskedLM over source and target with an explicit attention mask."""
    model = BertForMaskedLM.from_pretrained(TINY, attn_implementation="eager").double().eval()
    draw_weights({n: p for n, p in model.named_parameters() if n.startswith("cls.")})
    examples = draw_examples(model.config.vocab_size)
    rows = []
    for source, types, target in examples:
        s, total = len(source), len(source) + len(target)
        i, j = torch.arange(total)[:, None], torch.arange(total)[None, :]
        mask = (j < s) | ((i >= s) & (j <= i))  # [T, T]: the source for all, targets for themselves and later ones
        logits = model(input_ids=torch.tensor([source + target]),
                       token_type_ids=torch.tensor([types + [1] * len(target)]),
                       position_ids=torch.arange(total)[None], attention_mask=mask[None].long()).logits[0]
        rows.append(logits[s - 1:])
    store_examples(store, "self.", examples)
    store_results(store, "self.", torch.cat(rows), examples, dict(model.named_parameters()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=HERE)
    args = parser.parse_args()
    store = {}
    make_decoder(store)
    make_self(store)
    save_golden(os.path.join(args.out, "generation_golden.safetensors"), store)


if __name__ == "__main__":
    main()
