"""What the tests of programs share: a real S3 server with one bucket, a small encoder, and a voice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lake import Lake
from tests.speech import Say, speaker

WIDTH = 32


@pytest.fixture(scope="module")
def running_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("lake") / "data"
    folder.mkdir()
    lake = Lake(folder)
    lake.start()
    lake.client.create_bucket(Bucket="lake")
    yield lake
    lake.stop()


@pytest.fixture
def lake(running_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    for name, value in running_lake.environment.items():
        monkeypatch.setenv(name, value)
    return running_lake


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one small layer that knows letters, with weights of chance."""
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789?!'"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    words = ["where", "is", "the", "best", "pasta", "how", "much", "weather", "in", "boston", "what", "price", "store"]
    numbers = {piece: number for number, piece in enumerate([*vocabulary, *words])}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "model_type": "bert",
        "vocab_size": len(numbers),
        "hidden_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    torch.manual_seed(1)
    network = BertModel(BertConfig(**{key: value for key, value in settings.items() if key != "model_type"}))
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "model.safetensors"
    )
    return folder


@pytest.fixture(scope="session")
def say(tmp_path_factory: pytest.TempPathFactory) -> Say:
    return speaker(tmp_path_factory.mktemp("said"))
