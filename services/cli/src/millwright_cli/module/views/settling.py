"""What keys, the policy and settings look like to a person. Pure functions."""

import hashlib
from collections.abc import Iterable

from google.protobuf.struct_pb2 import Value
from millwright.modules.v1 import module_pb2, module_service_pb2
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import facts, json_text, short, table
from millwright_cli.module.words import Term
from millwright_cli.times import moment
from millwright_cli.words import Word, Words

_FINGERPRINT_LENGTH = 16


def keys(trusted: Iterable[module_service_pb2.SigningKey], say: Words) -> RenderableType:
    """Draw keys as a table, each with the beginning of its SHA-256."""
    headings = (Term.SIGNER, Term.FINGERPRINT, Term.OWNER, Word.ACTOR, Word.CREATED)
    rows = (
        (
            short(each.name),
            hashlib.sha256(each.public_key).hexdigest()[:_FINGERPRINT_LENGTH],
            each.owner,
            each.creator,
            moment(each.create_time, say),
        )
        for each in trusted
    )
    return table(headings, rows, say)


def removed(key_id: str, say: Words) -> Text:
    """Say that a key is trusted no more."""
    return Text.assemble(("■ ", "bright_black"), say(Term.KEY_REMOVED, key=key_id))


def policy(found: module_service_pb2.SignaturePolicy.ValueType, say: Words) -> Text:
    """Say what is asked of packages."""
    return Text(say.named(module_service_pb2.SignaturePolicy.Name(found)))


def settings(found: module_pb2.ModuleSettings, say: Words) -> list[RenderableType]:
    """Draw a module's settings, and what saving them again takes."""
    known = facts(
        [
            (Word.VERSION, found.version),
            (Term.ETAG, found.etag),
            (Word.ACTOR, found.updater),
            (Word.UPDATED, moment(found.update_time, say)),
        ],
        say,
    )
    return [Text(json_text(Value(struct_value=found.values))), known]
