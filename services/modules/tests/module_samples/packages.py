"""Packages of a module that draws a chart."""

import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from millwright_modules.domain import signing
from millwright_modules.domain.signing import FileHash

from module_samples.archives import Member, pack

KEY = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
STRANGE_KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)

PAGE = b"""import { useState } from "react";
import "./page.css";

export default function Page(): JSX.Element {
  const [count, setCount] = useState(0);
  return <button className="chart" onClick={() => setCount(count + 1)}>{count}</button>;
}
"""


def manifest(**changes):
    """The manifest; a change to None takes the key out."""
    value = {
        "schema_version": 1,
        "code": "quality",
        "version": "1.0.0",
        "titles": {"en": "Quality", "ko": "품질"},
        "category": "feature",
        "publisher": "Millwright",
        "platform": ">=0.1.0 <2.0.0",
        "frontend": {"entry": "src/page.tsx"},
    }
    value |= changes
    return {key: part for key, part in value.items() if part is not None}


def files(**changes):
    """The files of a package; `changes` are keys of the manifest."""
    return {
        "module.json": json.dumps(manifest(**changes)).encode(),
        "src/page.tsx": PAGE,
        "src/page.css": b".chart { color: teal }\n",
    }


def archive(contents):
    """The ZIP of files."""
    return pack(*(Member(path.encode(), content) for path, content in contents.items()))


def signed(contents, key_id="ours", key=KEY):
    """Files with their signature."""
    hashes = {path: FileHash(len(content), hashlib.sha256(content).digest()) for path, content in contents.items()}
    return {**contents, signing.FILE: json.dumps(signing.sign(hashes, key_id, key)).encode()}
