"""Writes a checkpoint with random weights for a configuration, for measurements at the size of a real model.

  python tests/parity/random_checkpoint.py core/checkpoint/samples/smollm2-135m.json TOKENIZER_FOLDER TO
"""

import json
import pathlib
import shutil
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

config_file, tokenizer, to = (pathlib.Path(argument) for argument in sys.argv[1:4])
torch.manual_seed(0)
settings = json.loads(config_file.read_text())
config = AutoConfig.for_model(settings.pop("model_type"), **settings)
model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
model.save_pretrained(to)
for name in ("tokenizer.json", "tokenizer_config.json"):
    shutil.copy(tokenizer / name, to / name)
print(f"{to}: {sum(parameter.numel() for parameter in model.parameters()):,} weights")
