"""Records adapters created by PEFT, and their outputs.

  python tests/parity/record_adapters.py    # rewrites tests/parity/fixtures/adapters

`core/nn/src/parity/adapters.rs` imports them and checks the logits against the recording.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import json
import shutil

import torch
from peft import IA3Config, LoraConfig, get_peft_model
from safetensors.torch import save_file

import formula
import record

# name: (model in record.py, arguments of LoraConfig, or of IA3Config if they name `feedforward_modules`)
ADAPTERS = {
    "plain": ("llama-2", dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])),
    "root-scaled": ("qwen2", dict(r=4, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "up_proj"])),
    "patterns": ("qwen3", dict(
        r=2, lora_alpha=4, target_modules=["q_proj", "k_proj", "down_proj"],
        rank_pattern={"layers.1.self_attn.q_proj": 5, "down_proj": 3},
        alpha_pattern={r"layers\.[02]\.mlp\.down_proj": 9})),
    "some-layers": ("mistral", dict(
        r=3, lora_alpha=6, target_modules=["o_proj", "gate_proj"], layers_to_transform=[0, 2])),
    "ia3": ("llama-biased", dict(
        target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"])),
    "ia3-gemma": ("gemma-3", dict(
        target_modules=["q_proj", "o_proj", "gate_proj", "down_proj"], feedforward_modules=["down_proj"])),
    "dora": ("llama-biased", dict(
        r=3, lora_alpha=6, use_dora=True, target_modules=["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"])),
    "dora-root-scaled": ("qwen2", dict(
        r=4, lora_alpha=8, use_dora=True, use_rslora=True, target_modules=["q_proj", "k_proj"],
        rank_pattern={"k_proj": 2})),
    "tokens-untied": ("llama-2", dict(r=3, lora_alpha=6, target_modules=["q_proj"], tokens="both")),
    "tokens-tied": ("smollm2", dict(r=3, lora_alpha=6, target_modules=["v_proj"], tokens="one")),
}


# Adapters whose gradients are recorded too.
GRADIENTS = ["ia3", "dora"]


def gradients(model, row):
    """Gradients of the mean loss over the row's tokens after the first eight."""
    model.zero_grad()
    ids = torch.tensor([row])
    labels = ids.clone()
    labels[:, :8] = -100
    loss = model(ids, labels=labels).loss
    loss.backward()
    found = {"loss": loss.detach().reshape(1)}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found["gradient." + name.replace(".default", "").removesuffix(".weight")] = parameter.grad.contiguous()
    return found


def record_one(name, base, arguments):
    arguments = dict(arguments)
    model = record.build(record.CASES[base][1])
    tokens = arguments.pop("tokens", None)
    row = record.tokens("row", 24)
    if tokens:
        ids = [record.VOCABULARY, record.VOCABULARY + 1]
        model.resize_token_embeddings(record.VOCABULARY + 2)
        both = {"embed_tokens": ids, "lm_head": ids}
        arguments["trainable_token_indices"] = both if tokens == "both" else ids
        row = row[:7] + ids + row[7:]
    config = IA3Config if "feedforward_modules" in arguments else LoraConfig
    model = get_peft_model(model, config(task_type="CAUSAL_LM", **arguments)).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter.requires_grad:
                values = torch.from_numpy(formula.units(name + parameter_name, parameter.numel()) / 4)
                # Factors of IA3 and magnitudes of DoRA: around their initial values, not around zero.
                moved = "ia3_l" in parameter_name or "magnitude" in parameter_name
                parameter.copy_(values.reshape(parameter.shape) + (parameter if moved else 0))
        logits = model(torch.tensor([row])).logits[0]
    folder = record.FIXTURES / "adapters" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    recorded = {"logits": logits.contiguous()}
    if name in GRADIENTS:
        recorded |= gradients(model, row)
    save_file(recorded, folder / "recorded.safetensors")
    (folder / "recorded.json").write_text(json.dumps({"model": base, "row": row}) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    print(f"{name}: {logits.abs().max():.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, (base, arguments) in ADAPTERS.items():
        record_one(name, base, arguments)
