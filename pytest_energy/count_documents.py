"""The JSON of counts, and of their comparison: a part of format 1."""

from msgspec import field

from pytest_energy.codec import NULLABLE, ByName, Document, Number, Text
from pytest_energy.counts import Kind
from pytest_energy.document_types import Amount, CountFrom0, CountFrom1, Positive, Sentence
from pytest_energy.judgement import Cause, Verdict

ZERO = 0.0
"""The very object that is left out: a document leaves out what *is* the default."""


class CallPlace(Document, frozen=True, kw_only=True):
    """Where the user's code makes a call: file, line, function, and how many of the calls."""

    file: Text
    line: CountFrom0
    function: Text
    count: CountFrom1


class CountEntry(Document, frozen=True, kw_only=True):
    """How often one thing was done in a call of the work.

    Attributes:
        dtype: Type of the numbers it works on; omitted if there is none.
        count: The least of several traces.
        most: The most of several traces; omitted if they agree.
        flops: Floating-point operations of all calls; omitted if not counted.
        size_bytes: Bytes that all calls read, copy or allocate; omitted if there are none.
        inputs: Digest of shapes, types and scalars of all calls; omitted if they are not known.
        example: Inputs of the largest call; omitted if they are not known.
        duration_s: Of the device, or of the host where no device was at work: never compared.
        places: Where the user's code makes the calls; omitted if not known.
    """

    kind: Kind
    name: Sentence
    dtype: Text = ""
    count: CountFrom0
    most: CountFrom1 | None = None
    flops: Amount = ZERO
    size_bytes: Amount = ZERO
    inputs: Text = ""
    example: Text = ""
    duration_s: Amount = ZERO
    places: tuple[CallPlace, ...] = ()


class Counts(Document, frozen=True, kw_only=True):
    """What one call of the work did, in exact numbers.

    Attributes:
        source: What counted.
        entries: The heaviest first; some light ones may be left out.
        digest: Of all that is compared, entries left out included.
        omitted_count: Entries that were left out.
        settings: Switches that say how operators work, by name.
        trace_s: Seconds that counting has cost.
        trace_count: Calls that were counted.
        is_piece: A smaller piece of the work was counted in its place; omitted if the work was.
    """

    source: Sentence
    entries: tuple[CountEntry, ...]
    digest: Sentence
    omitted_count: CountFrom0 = 0
    settings: ByName[Text] = field(default_factory=dict)
    trace_s: Amount = ZERO
    trace_count: CountFrom1 = 1
    is_piece: bool = False


class CountChange(Document, frozen=True, kw_only=True):
    """One count that changed.

    Attributes:
        before: Least and most count of the baseline's sessions; zeros where it is new.
        after: Least and most count now; zeros where it is gone.
        weight_s: Rise of its weight, in seconds of a reference device.
        inputs: Its largest call, then and now; omitted if the inputs are the same.
        place: Where the user's code makes the calls that were added or removed; omitted if not known.
        cause: The code, a setting, the library, or unknown.
    """

    kind: Kind
    name: Sentence
    dtype: Text = ""
    before: tuple[CountFrom0, CountFrom0]
    after: tuple[CountFrom0, CountFrom0]
    weight_s: Number
    inputs: tuple[Text, Text] | None = None
    place: Text = ""
    cause: Cause


class CountsComparison(Document, frozen=True, kw_only=True, rename={"entry_count": "sessions"}):
    """The counts of a record against those of its baseline.

    Attributes:
        entry_count: Sessions of the baseline that have counts.
        changes: What differs, the worst first; some light ones may be left out.
        change_count: How many differ.
        settings: Switches that differ: name to the old value and the new one.
        weight_ratio: Weighted work of the code, this run over the baseline; null if it can't be had.
        rises: Measures that rose past the tolerance: name to the old value and the new one.
        tolerance: Accepted rise of each measure, a share.
        verdict: The verdict of the counts alone.
        is_judged: Whether the verdict of the test depends on them.
        is_repeating: Whether unchanged code gives the same counts, as far as the sessions show.
        lines: The difference in words.
    """

    entry_count: CountFrom1
    changes: tuple[CountChange, ...]
    change_count: CountFrom0
    settings: ByName[tuple[Text, Text]]
    weight_ratio: Positive | None = NULLABLE
    rises: ByName[tuple[Amount, Amount]]
    tolerance: Amount
    verdict: Verdict
    is_judged: bool
    is_repeating: bool
    lines: tuple[Text, ...]
