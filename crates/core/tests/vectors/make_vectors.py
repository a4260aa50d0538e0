#!/usr/bin/env python3
"""Makes sealed.json: known answers for the sealed format of crates/core/src/vault/seal.rs.

    python3 -m venv /tmp/vectors && /tmp/vectors/bin/pip install cryptography
    /tmp/vectors/bin/python make_vectors.py            # writes sealed.json beside this file
    /tmp/vectors/bin/python make_vectors.py --check    # says whether it would be the same

Written from the format's description alone and sharing no code with the vault: HKDF is written out over the standard
library's HMAC, AES-GCM and ChaCha20-Poly1305 are OpenSSL's through `cryptography`, HChaCha20 is written out below.
The inputs come from SHA-512 of a counter, so every run makes the same file.
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# Number, length of the nonce, hash of the HKDF. A new one comes last, so that the inputs of the others stay.
SUITES = {
    "aes-256-gcm": (1, 12, hashlib.sha512),
    "xchacha20-poly1305": (2, 24, hashlib.sha512),
    "aes-256-gcm-sha256": (3, 12, hashlib.sha256),
}
# The edges of the padding (4 bytes of length, blocks of 64), then ordinary sizes.
PLAINTEXTS = [0, 1, 3, 4, 59, 60, 61, 63, 64, 65, 123, 124, 125, 128, 187, 188, 189, 252, 253, 1000]
CONTEXTS = [0, 1, 15, 16, 17, 31, 32, 33, 64, 100]
PER_SUITE = 64


def hkdf(algorithm, secret, salt, info, length):
    """RFC 5869."""
    prk = hmac.new(salt, secret, algorithm).digest()
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([number]), algorithm).digest()
        out, number = out + block, number + 1
    return out[:length]


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha-03, section 2.2."""
    state = list(struct.unpack("<4I8I4I", b"expand 32-byte k" + key + nonce))

    def rotate(value, by):
        return ((value << by) | (value >> (32 - by))) & 0xFFFFFFFF

    def quarter(a, b, c, d):
        for first, second, third, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[first] = (state[first] + state[second]) & 0xFFFFFFFF
            state[third] = rotate(state[third] ^ state[first], by)

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def encrypt(suite, key, nonce, associated, body):
    if suite != "xchacha20-poly1305":
        return AESGCM(key).encrypt(nonce, body, associated)
    subkey = hchacha20(key, nonce[:16])
    return ChaCha20Poly1305(subkey).encrypt(bytes(4) + nonce[16:], body, associated)


def prefixed(part):
    return struct.pack(">I", len(part)) + part


def seal(suite, key_id, key, salt, nonce, context, plaintext):
    number, _, algorithm = SUITES[suite]
    number = struct.pack(">H", number)

    def derive(label):
        return hkdf(algorithm, key, salt, prefixed(label) + prefixed(number) + prefixed(key_id), 32)

    head = b"PMV\x01" + number + b"\0\0" + key_id + salt + derive(b"pmv1/commit")
    assert len(head) == 88
    body = prefixed(plaintext)
    body += bytes(-len(body) % 64)
    associated = b"pmv1/aad" + head + prefixed(context)
    return head + nonce + encrypt(suite, derive(b"pmv1/key"), nonce, associated, body)


class Inputs:
    def __init__(self):
        self.counter = 0

    def take(self, length):
        out = b""
        while len(out) < length:
            out += hashlib.sha512(b"billfold known answers %d" % self.counter).digest()
            self.counter += 1
        return out[:length]


def vectors():
    inputs = Inputs()
    for suite, (_, nonce_length, _) in SUITES.items():
        for index in range(PER_SUITE):
            parts = {
                "key_id": inputs.take(16),
                "key": inputs.take(32),
                "salt": inputs.take(32),
                "nonce": inputs.take(nonce_length),
                "context": inputs.take(CONTEXTS[index % len(CONTEXTS)]),
                # 1000 bytes once: the file stays small.
                "plaintext": inputs.take(PLAINTEXTS[index] if index < len(PLAINTEXTS) else 5 * (index - 20)),
            }
            parts["blob"] = seal(suite, **parts)
            yield {"suite": suite, **{name: value.hex() for name, value in parts.items()}}


def self_test():
    """What is written out here, against the draft's own answer and another HKDF."""
    key = bytes(range(32))
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert hchacha20(key, nonce).hex() == expected
    parts = {"salt": bytes(range(13)), "info": bytes(range(0xF0, 0xFA)), "length": 150}
    for algorithm, theirs in ((hashlib.sha512, hashes.SHA512()), (hashlib.sha256, hashes.SHA256())):
        assert hkdf(algorithm, key, **parts) == HKDF(theirs, **parts).derive(key)


def main():
    self_test()
    lines = (json.dumps(vector, separators=(",", ":")) for vector in vectors())
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    file = pathlib.Path(__file__).with_name("sealed.json")
    if "--check" in sys.argv:
        same = file.read_text() == text
        print("the same" if same else "not the same")
        sys.exit(not same)
    file.write_text(text)


if __name__ == "__main__":
    main()
