"""Checks exports of cadre against transformers and peft.

  CADRE_PARITY_EXPORTS=/tmp/exports cargo test --workspace --lib -- --ignored exports_for_python
  python tests/parity/check_exports.py /tmp/exports

Each folder in it contains a `backbone`, one expert both as `peft` (an adapter) and as `merged` (a checkpoint), and in
`expected.safetensors` the logits that cadre computes for the ids in `expected.json`.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import json
import pathlib
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def logits(model, row):
    with torch.no_grad():
        return model.eval()(torch.tensor([row])).logits[0]


worst = 0.0
folders = sorted(path for path in pathlib.Path(sys.argv[1]).iterdir() if path.is_dir())
assert folders, "nothing to check"
for folder in folders:
    row = json.loads((folder / "expected.json").read_text())["row"]
    expected = load_file(folder / "expected.safetensors")["logits"]
    model = AutoModelForCausalLM.from_pretrained(folder / "backbone", dtype=torch.float32)
    if len(expected[0]) > model.config.vocab_size:
        model.resize_token_embeddings(len(expected[0]))
    adapter = PeftModel.from_pretrained(model, folder / "peft")
    merged = AutoModelForCausalLM.from_pretrained(folder / "merged", dtype=torch.float32)
    for what, found in [("adapter", logits(adapter, row)), ("merged", logits(merged, row))]:
        apart = ((found - expected).abs().max() / expected.abs().max()).item()
        print(f"{folder.name}: {what} {apart:.1e}")
        worst = max(worst, apart)
        assert apart <= 1e-5, f"{folder.name}: {what} differs by {apart}"
print(f"worst {worst:.1e}")
