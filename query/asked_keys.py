"""What the values of a metadata key can answer, and what has to be said where they cannot.

A form that no value has is an error with a way out; one that some values lack is a warning that counts them; a plain
comparison with a list is an error.
"""

from __future__ import annotations

from collections.abc import Collection

from query import names
from query.context import Context, amount
from query.errors import Span
from query.resolved import BuiltIn, Form, Metadata
from query.typed import Typed
from query.vocabulary import Entity, FieldType, MetadataKey

FORM_WORDS = {
    Form.NUMBER: "a number", Form.TEXT: "text", Form.BOOLEAN: "true or false", Form.TIME: "a time",
    Form.DIGEST: "a digest",
}  # fmt: skip


class AskedKeys:
    """Checks what is asked of the keys of rows of one entity."""

    def __init__(self, context: Context, entity: Entity) -> None:
        self.context = context
        self.entity = entity

    def refuse_list(self, typed: Typed) -> None:
        """A plain comparison with a list is an error: which of its values would be meant?"""
        found = typed.value
        if isinstance(found, BuiltIn) and found.type is FieldType.TEXTS:
            self.context.fail(
                f"{found.label} is a list", typed.span, f"write {found.label} has … or {found.label} has any (…)"
            )
        known = self.known(typed)
        if known is not None and known.lists and known.lists >= known.things:
            label = self.context.text[slice(*typed.span)]
            self.context.fail(f"{known.name} holds lists", typed.span, f"write {label} has … or {label} has any (…)")

    def warn_lists(self, typed: Typed) -> None:
        """Where only some things have a list, those match no plain comparison, and are counted."""
        known = self.known(typed)
        if known is not None and known.lists:
            self.context.warn(
                f"{known.name} is a list for {known.lists} of {known.things}: no plain comparison matches those"
            )

    def ask(
        self, typed: Typed, form: Form, span: Span, *, lists: bool = False, warn: bool = True, hint: str | None = None
    ) -> None:
        """Check that values of a key have ``form``: none is an error at ``span``, some are a warning (if ``warn``)."""
        known = self.known(typed)
        if known is None or known.values == 0:
            return
        if not lists:
            self.warn_lists(typed)
        if _having(known, form) == 0:
            written = self.context.text[slice(*span)]
            way_out = f"write {written} is present, or compare it" if span == typed.span else _way_out(written, known)
            self.context.fail(_no_such_form(self.with_examples(known, typed), form), span, hint or way_out)
        if warn:
            self.warn_rest(typed, (form,))

    def warn_rest(self, typed: Typed, forms: Collection[Form]) -> None:
        """Count the values that have none of ``forms``. No value reads as two of number, time and bool."""
        known = self.known(typed)
        if known is None or not forms:
            return
        rest = known.values - min(known.values, sum(_having(known, form) for form in forms))
        if rest:
            words = " or ".join(FORM_WORDS[form] for form in Form if form in forms)
            self.context.warn(
                f"{known.name}: {rest} of {amount(known.values, 'values')} {'is' if rest == 1 else 'are'} not "
                f"{words} and {'matches' if rest == 1 else 'match'} nothing"
            )

    def warn_order(self, found: BuiltIn | Metadata) -> None:
        """Say which values keep a key from being ordered by number or time."""
        if not isinstance(found, Metadata) or found.sorts_as is not Form.TEXT:
            return
        known = names.known(self.context, self.entity, found)
        best = max((known.numbers, "number"), (known.times, "time")) if known is not None else (0, "")
        if known is not None and best[0] > 0:
            rest = known.values - best[0]
            others = f"{rest} of {amount(known.values, 'values')} {'is no' if rest == 1 else 'are no'} {best[1]}"
            self.context.warn(f"{known.name} is ordered as text: {others}{'' if rest == 1 else 's'}")

    def known(self, typed: Typed) -> MetadataKey | None:
        """What is known of the key of a metadata value; None for anything else."""
        return names.known(self.context, self.entity, typed.value) if isinstance(typed.value, Metadata) else None

    def with_examples(self, known: MetadataKey, typed: Typed) -> MetadataKey:
        """What is known of the key, with examples: to find some costs more than a small query, so errors alone ask."""
        assert isinstance(typed.value, Metadata)
        return names.with_examples(self.context, self.entity, typed.value) or known


def _having(known: MetadataKey, form: Form) -> int:
    """How many values of a key have ``form``; all have a text."""
    return {Form.NUMBER: known.numbers, Form.BOOLEAN: known.booleans, Form.TIME: known.times}.get(form, known.values)


def _no_such_form(known: MetadataKey, form: Form) -> str:
    examples = ", ".join(known.examples[:3]) + (", …" if known.values > len(known.examples[:3]) else "")
    seen = f" ({amount(known.values, 'values')}{': ' + examples if known.examples else ''})"
    return f"{known.name} holds {names.forms(known)} only{seen}, and this asks for {FORM_WORDS[form]}"


def _way_out(written: str, known: MetadataKey) -> str:
    if names.forms(known) == "text" and not written.startswith(('"', "'", "$")) and len(written) < 40:
        return f'a text is written in quotes: "{written}"'
    return f"compare {known.name} with {names.forms(known)}"
