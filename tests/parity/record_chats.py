"""Records how transformers renders chat templates: text, token ids, and which tokens are the assistant's.

  python tests/parity/record_chats.py       # rewrites tests/parity/fixtures/chats

`core/data/src/template/recorded.rs` checks cadre against the recording. The templates are in `templates/`:
those of model families, and some that exercise Jinja features.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import json
import pathlib

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "fixtures" / "chats"
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>",
           "<|end_header_id|>", "<|eot_id|>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>",
           "<|user|>", "<|assistant|>", "<|system|>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
           "<｜User｜>", "<｜Assistant｜>"]

# template: (bos, eos)
TEMPLATES = {
    "chatml": (None, "<|im_end|>"),
    "llama-2": ("<s>", "</s>"),
    "llama-3": ("<|begin_of_text|>", "<|eot_id|>"),
    "mistral": ("<s>", "</s>"),
    "gemma": ("<bos>", "<end_of_turn>"),
    "zephyr": (None, "</s>"),
    "generation-marks": (None, "<|im_end|>"),
    "jinja": (None, "</s>"),
    "minimind": ("<|im_start|>", "<|im_end|>"),
    "deepseek-distill": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
}
EXAMPLES = [
    {"instruction": "Say it again.", "input": "She sells <sea> shells & \"more\"", "output": "by the shore"},
    {"instruction": "Translate.\nTwo lines.", "input": "", "output": "Zwei Zeilen, größer: 漢字.\nEnde"},
]
# Conversations with a system message, for templates that support several turns; gemma's has no system role.
TURNS = [
    [{"role": "system", "content": "Be short."},
     {"role": "user", "content": "Who sells shells?"}, {"role": "assistant", "content": "She does."}],
    [{"role": "system", "content": "Antworte auf Deutsch:\n größer"},
     {"role": "user", "content": " One "}, {"role": "assistant", "content": "Eins"},
     {"role": "user", "content": "Two\n\nlines"}, {"role": "assistant", "content": "Zwei <|im_start|>"}],
]
CONVERSATIONS = ["chatml", "llama-3", "gemma"]


def examples(template):
    """Single messages for all templates; conversations for some."""
    yield from EXAMPLES
    if template not in CONVERSATIONS:
        return
    for turns, example in zip(TURNS, EXAMPLES):
        yield {**example, "turns": [turn for turn in turns if template != "gemma" or turn["role"] != "system"]}


def tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate(SPECIAL + alphabet)}
    merges = [("t", "h"), ("e", "r"), ("Ġ", "s"), ("s", "h")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return made


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = tokenizer()
    made.save(str(FOLDER / "tokenizer.json"), pretty=False)
    recorded = []
    for name, (bos, eos) in TEMPLATES.items():
        template = (HERE / "templates" / f"{name}.jinja").read_text()
        fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token=bos, eos_token=eos,
                                       clean_up_tokenization_spaces=False)
        fast.chat_template = template
        for example in examples(name):
            user = "\n\n".join(part for part in [example["instruction"], example["input"]] if part)
            given = example.get("turns", []) + [{"role": "user", "content": user}]
            whole = given + [{"role": "assistant", "content": example["output"]}]
            prompt = fast.apply_chat_template(given, tokenize=False, add_generation_prompt=True)
            text = fast.apply_chat_template(whole, tokenize=False)
            encode = lambda text: fast(text, add_special_tokens=False)["input_ids"]
            assert text.startswith(prompt), name
            # The assistant's part up to its end token; the text after it is never generated.
            learnt = encode(text[len(prompt):])
            stop = fast.eos_token_id
            learnt = learnt[:learnt.index(stop)] if stop in learnt else learnt
            recorded.append({
                "template": name, "bos": bos, "eos": eos, "example": example, "prompt": prompt, "text": text,
                "given": encode(prompt), "learnt": learnt + [stop],
            })
        print(name, len(recorded[-1]["given"]), len(recorded[-1]["learnt"]))
    (FOLDER / "recorded.json").write_text(json.dumps(recorded, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
