"""Records what transformers and peft compute on tiny models of every family.

  python tests/parity/record.py            # rewrites tests/parity/fixtures
  python tests/parity/record.py --only qwen3

`core/nn/src/parity.rs` checks cadre against the recording, without Python. Weights come from `formula.py`.
Each case is a real configuration with fewer layers, and smaller widths, vocabulary and windows.
"""

import argparse
import json
import os
import pathlib

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
VOCABULARY = 61
RANK = 3
ALPHA = 6.0
STEPS = 20
RATE = 2e-3
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

CUT = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": None, "eos_token_id": None,
    "pad_token_id": None,
}
LLAMA = {"model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False}

# name: (dtype of the file, configuration)
CASES = {
    "llama-2": ("F16", LLAMA | CUT | {
        "num_key_value_heads": 4, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "rope_scaling": None, "tie_word_embeddings": False}),
    "llama-3.2": ("BF16", LLAMA | CUT | {
        "head_dim": 16, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "tie_word_embeddings": True}),
    # A short original context puts frequencies between Llama 3's bounds, so that few tokens suffice to show the scaling.
    "llama-3-blended": ("F32", LLAMA | CUT | {
        "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 100.0,
        "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 64, "rope_type": "llama3"},
        "tie_word_embeddings": False}),
    "llama-biased": ("F32", LLAMA | CUT | {
        "attention_bias": True, "mlp_bias": True, "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
        "rope_scaling": {"factor": 4.0, "type": "linear"}, "tie_word_embeddings": False}),
    "smollm2": ("BF16", LLAMA | CUT | {
        "hidden_size": 36, "num_attention_heads": 9, "num_key_value_heads": 3, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 8192, "rope_theta": 100000.0, "tie_word_embeddings": True}),
    "mistral": ("BF16", CUT | {
        "model_type": "mistral", "hidden_act": "silu", "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "sliding_window": 6, "tie_word_embeddings": False}),
    "qwen2": ("BF16", CUT | {
        "model_type": "qwen2", "hidden_act": "silu", "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "sliding_window": 5, "max_window_layers": 2,
        "use_sliding_window": True, "tie_word_embeddings": True}),
    "qwen3": ("BF16", CUT | {
        "model_type": "qwen3", "hidden_act": "silu", "head_dim": 12, "max_position_embeddings": 40960,
        "attention_bias": False, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "sliding_window": None,
        "max_window_layers": 28, "use_sliding_window": False, "tie_word_embeddings": True}),
    "smollm3": ("F32", CUT | {
        "model_type": "smollm3", "hidden_act": "silu", "num_hidden_layers": 4, "attention_bias": False,
        "mlp_bias": False, "max_position_embeddings": 65536, "rms_norm_eps": 1e-6, "rope_theta": 5000000.0,
        "no_rope_layer_interval": 4, "no_rope_layers": [1, 1, 1, 0], "rope_scaling": None,
        "sliding_window": None, "use_sliding_window": False, "max_window_layers": 28,
        "tie_word_embeddings": True}),
    "gemma-3": ("BF16", CUT | {
        "model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh", "num_hidden_layers": 4,
        "num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "query_pre_attn_scalar": 20,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 5,
        "sliding_window_pattern": 3, "attention_bias": False, "tie_word_embeddings": True}),
}


def tokens(label: str, count: int) -> list:
    """Token ids, from the same hash as the weights."""
    return [int(k) for k in (formula.units(label, count) * 128 + 127) % VOCABULARY]


def build(config: dict):
    config = dict(config)
    kind = config.pop("model_type")
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **config), dtype=torch.float32, attn_implementation="eager")
    less_one = kind.startswith("gemma")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(formula.weight(name, tuple(parameter.shape), less_one)))
    if config.get("tie_word_embeddings"):
        model.tie_weights()
    return model.eval()


def examples():
    """Prompts and answers of four rows; the loss is computed on the answers."""
    lengths = [(7, 5), (3, 9), (11, 2), (5, 6)]
    return [(tokens(f"prompt {n}", given), tokens(f"answer {n}", learnt))
            for n, (given, learnt) in enumerate(lengths)]


def batch(rows):
    longest = max(len(given) + len(learnt) for given, learnt in rows)
    ids, labels, mask = [], [], []
    for given, learnt in rows:
        pad = longest - len(given) - len(learnt)
        ids.append(given + learnt + [0] * pad)
        labels.append([-100] * len(given) + learnt + [-100] * pad)
        mask.append([1] * (len(given) + len(learnt)) + [0] * pad)
    return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels),
            "attention_mask": torch.tensor(mask)}


def with_lora(model):
    model = get_peft_model(model, LoraConfig(
        r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=TARGETS, bias="none"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                plain = name.replace(".default", "")
                parameter.copy_(torch.from_numpy(formula.units(plain, parameter.numel()) / 4)
                                .reshape(parameter.shape))
    return model


def record(name: str, dtype: str, config: dict):
    tensors, facts = {}, {"config": config, "file-dtype": dtype, "rank": RANK, "alpha": ALPHA, "rate": RATE}
    model = build(config)
    row = tokens("row", 24)
    with torch.no_grad():
        tensors["logits"] = model(torch.tensor([row])).logits[0]
        prompts = [tokens("greedy 0", 9), tokens("greedy 1", 4)]
        answers, margins = [], []
        for prompt in prompts:
            ids = list(prompt)
            for _ in range(64):
                logits = model(torch.tensor([ids])).logits[0, -1]
                best = torch.topk(logits, 2).values
                margins.append(float((best[0] - best[1]) / logits.abs().max()))
                ids.append(int(logits.argmax()))
            answers.append(ids[len(prompt):])
        generated = model.generate(torch.tensor([prompts[0]]), max_new_tokens=64, do_sample=False)
        assert generated[0, len(prompts[0]):].tolist() == answers[0], "generate() and the loop differ"
    assert min(margins) > 1e-4, f"{name}: a near tie of {min(margins)} makes the greedy answer a matter of luck"
    facts |= {"row": row, "prompts": prompts, "answers": answers}

    rows = examples()
    facts["examples"] = [{"given": given, "learnt": learnt} for given, learnt in rows]
    model = with_lora(model)
    data = batch(rows)
    loss = model(**data).loss
    loss.backward()
    facts["loss"] = loss.item()
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad:
            tensors["gradient." + parameter_name.replace(".default", "")] = parameter.grad.clone()
    model.zero_grad()

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.01)
    losses = []
    for _ in range(STEPS):
        loss = model(**data).loss
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    facts["losses"] = losses
    with torch.no_grad():
        tensors["trained-logits"] = model(torch.tensor([row])).logits[0]

    folder = FIXTURES / "families"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().to(torch.float32).contiguous() for key, value in tensors.items()}
    save_file(tensors, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(facts) + "\n")
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, smallest margin {min(margins):.1e}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--only")
    only = arguments.parse_args().only
    torch.set_num_threads(1)
    for name, (dtype, config) in CASES.items():
        if only in (None, name):
            record(name, dtype, config)
