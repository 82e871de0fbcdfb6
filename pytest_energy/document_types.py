"""Types of the JSON's numbers and texts, with their schema descriptions."""

from typing import Annotated, Any

from msgspec import Meta

from pytest_energy.codec import ByName, JsonDict, Number, Text, Whole


def written(**rules: object) -> Meta:
    """Constraints for the schema only; a reader checks by the values' own rules."""
    return Meta(extra_json_schema={"written": rules})


_CHANNEL_NAMES: JsonDict = {"pattern": "^(gpu|cpu|dram):"}
_INTERVAL: JsonDict = {"items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_AMOUNT: JsonDict = {"type": "number", "minimum": 0}

Amount = Annotated[Number, written(minimum=0)]
Positive = Annotated[Number, written(exclusiveMinimum=0)]
CountFrom0 = Annotated[Whole, written(minimum=0)]
CountFrom1 = Annotated[Whole, written(minimum=1)]
CountFrom2 = Annotated[Whole, written(minimum=2)]
Sentence = Annotated[Text, written(minLength=1)]
Time = Annotated[Text, written(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$")]
Interval = tuple[Number, Number]
Channels = Annotated[ByName[Amount], written(propertyNames=_CHANNEL_NAMES)]
Steps = Annotated[tuple[tuple[Number, Number], ...], written(minItems=2)]
PowerTrace = Annotated[ByName[Steps], written(propertyNames=_CHANNEL_NAMES)]

# Rule 3: these are not read.
DerivedNumber = Annotated[Any, written(type=["number", "null"])]
DerivedAmount = Annotated[Any, written(type=["number", "null"], minimum=0)]
DerivedInterval = Annotated[Any, written(type=["array", "null"], **_INTERVAL)]
DerivedChannels = Annotated[
    Any, written(type=["object", "null"], additionalProperties=_AMOUNT, propertyNames=_CHANNEL_NAMES)
]
DerivedAmounts = Annotated[Any, written(type="object", additionalProperties=_AMOUNT)]
