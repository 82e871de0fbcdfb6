"""A byte-level BPE tokenizer, trained in a moment on the language reference that ships with Python."""

import json
from functools import cache
from itertools import islice, product
from pydoc_data.topics import topics

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 2048  # small, so that the output head does not dominate the smallest model


@cache
def corpus() -> str:
    """The texts behind `help("if")` and its like, about 0.5 MB of English and code."""
    return "\n".join(topics[name] for name in sorted(topics))


@cache
def trained_tokenizer() -> Tokenizer:
    """The tokenizer; the same for the same version of Python and of `tokenizers`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),  # every byte, so that any text can be encoded
    )
    tokenizer.train_from_iterator(corpus().splitlines(), trainer)
    return tokenizer


@cache
def widened_tokenizer(vocabulary: int) -> Tokenizer:
    """The trained tokenizer with text for every id below *vocabulary*, for models that know more tokens.

    It encodes as the trained one does. An id beyond that one's is decoded to the text of two of its tokens,
    so that turning random answers into text costs what it costs with a tokenizer of that size.
    """
    trained = json.loads(trained_tokenizer().to_str())
    known: dict[str, int] = trained["model"]["vocab"]
    pairs = ("".join(pair) for pair in islice(product(tuple(known), repeat=2), 2 * vocabulary))
    fresh = (text for text in dict.fromkeys(pairs) if text not in known)
    known |= {text: len(known) + place for place, text in enumerate(islice(fresh, vocabulary - len(known)))}
    return Tokenizer.from_str(json.dumps(trained))


@cache
def corpus_ids() -> tuple[int, ...]:
    """The corpus in tokens, so that a passage is a slice and costs a round nothing."""
    return tuple(trained_tokenizer().encode(corpus()).ids)
