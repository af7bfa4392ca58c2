#!/usr/bin/env python3
"""Verifies an exported audit log: `python3 audit_verify.py --key HEX export.ndjson`.

Written from audit-export.md alone, with nothing but Python's own library, so that nobody has to believe the program
that wrote the file. Prints one line; exits 0 when the file is intact, 1 when it is not, 2 when it cannot be read.
"""

import argparse
import hashlib
import json
import sys
from datetime import datetime, timedelta, timezone
from uuid import UUID

ORIGIN = bytes(32)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MANIFEST = ["format", "site_id", "first", "previous_hash", "last", "from", "to", "exported_at", "exported_by", "public_key"]
HEAD = ["site_id", "position", "hash"]
CHECKPOINT = ["number", "at", "previous", "whole", "heads", "key", "signature"]
TEXTS = ["event_type", "actor", "role", "action", "target_type", "target_id", "before", "after", "reason", "address", "trace_id"]
ENTRY = ["site_id", "position", "event_id", *TEXTS, "at", "previous_hash", "hash"]
END = ["entries", "checkpoints", "last_hash", "signature"]


class Bad(Exception):
    pass


def check(holds, problem):
    if not holds:
        raise Bad(problem)


# Ed25519 as RFC 8032 has it (section 6, in short).
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(one, two):
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c = 2 * one[3] * two[3] * D % P
    d = 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f, g * h, f * g, e * h)


def times(number, point):
    sum = (0, 1, 1, 0)
    while number > 0:
        if number & 1:
            sum = add(sum, point)
        point = add(point, point)
        number >>= 1
    return sum


def same(one, two):
    return (one[0] * two[2] - two[0] * one[2]) % P == 0 and (one[1] * two[2] - two[1] * one[2]) % P == 0


def decompress(bytes_):
    y = int.from_bytes(bytes_, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    check(y < P, "is no point of the curve")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT % P
    check((x * x - square) % P == 0 and not (x == 0 and sign), "is no point of the curve")
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    return same(times(s, BASE), add(decompress(r), times(k, decompress(key))))


# The format.
def field(bytes_):
    return len(bytes_).to_bytes(8, "big") + bytes_


def number(value):
    return field(value.to_bytes(8, "big"))


def text(value):
    return field(value.encode())


def instant(value):
    at = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return field(((at - EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big", signed=True))


def site_of(value):
    return field(UUID(value).bytes)


def hash_(value):
    bytes_ = bytes.fromhex(value)
    check(len(bytes_) == 32, "a hash is not 64 hexadecimal digits")
    return bytes_


def digest(*fields):
    return hashlib.sha256(b"".join(fields)).digest()


def has(value, names):
    check(isinstance(value, dict) and sorted(value) == sorted(names), "has not the fields it should have")


def checkpoint_digest(checkpoint):
    fields = [text("sitepass audit checkpoint 1"), number(checkpoint["number"]), instant(checkpoint["at"]),
              field(hash_(checkpoint["previous"])), number(int(checkpoint["whole"]))]
    # In the order of the sites' ids.
    for head in sorted(checkpoint["heads"], key=lambda head: UUID(head["site_id"]).bytes):
        fields += [site_of(head["site_id"]), number(head["position"]), field(hash_(head["hash"]))]
    return digest(*fields)


def entry_digest(entry, previous):
    return digest(text("sitepass audit 1"), field(previous), number(entry["position"]), site_of(entry["site_id"]),
                  site_of(entry["event_id"]), *(text(entry[name]) for name in TEXTS), instant(entry["at"]))


def end_digest(manifest, last_hash, checkpoints):
    return digest(text(manifest["format"]), site_of(manifest["site_id"]), number(manifest["first"]),
                  field(hash_(manifest["previous_hash"])), number(manifest["last"]), field(last_hash),
                  text(manifest["from"]), text(manifest["to"]), instant(manifest["exported_at"]),
                  text(manifest["exported_by"]), number(checkpoints))


class Verifier:
    def __init__(self, trusted):
        self.trusted = trusted
        self.manifest = None
        self.done = False
        self.checkpoints = self.entries = 0
        self.marks = {}

    def line(self, line):
        def unique(pairs):
            check(len(dict(pairs)) == len(pairs), "names a field twice")
            return dict(pairs)

        try:
            value = json.loads(line, object_pairs_hook=unique)
        except ValueError as err:
            raise Bad(f"is no line of an export: {err}") from err
        check(isinstance(value, dict) and len(value) == 1, "is no line of an export")
        (kind, value), = value.items()
        check(not self.done and (self.manifest is None) == (kind == "manifest"), "stands in the wrong place")
        handlers = {"manifest": self.begin, "checkpoint": self.checkpoint, "entry": self.entry, "end": self.end}
        check(kind in handlers, "is no line of an export")
        try:
            handlers[kind](value)
        except (ValueError, TypeError, AttributeError, OverflowError) as err:
            raise Bad(f"cannot be read: {err}") from err

    def begin(self, manifest):
        has(manifest, MANIFEST)
        check(manifest["format"] == "sitepass audit export 1", "the format is not known")
        check(not self.trusted or manifest["public_key"] in self.trusted, "the public key is not trusted")
        first, last, self.hash = manifest["first"], manifest["last"], hash_(manifest["previous_hash"])
        origin = self.hash == ORIGIN
        check((first, last) == (0, 0) and origin if first == 0 else last >= first and (first == 1) == origin,
              "the manifest contradicts itself")
        self.manifest, self.position = manifest, max(first, 1) - 1

    def checkpoint(self, checkpoint):
        has(checkpoint, CHECKPOINT)
        check(self.entries == 0, "stands in the wrong place")
        check(checkpoint["key"] in (self.trusted or [self.manifest["public_key"]]), "the checkpoint's key is not trusted")
        for head in checkpoint["heads"]:
            has(head, HEAD)
        sites = [UUID(head["site_id"]) for head in checkpoint["heads"]]
        check(len(set(sites)) == len(sites), "a site stands in it twice")
        signature = bytes.fromhex(checkpoint["signature"])
        check(verifies(bytes.fromhex(checkpoint["key"]), checkpoint_digest(checkpoint), signature),
              "the checkpoint was altered")
        site = UUID(self.manifest["site_id"])
        heads = [head for head in checkpoint["heads"] if UUID(head["site_id"]) == site]
        check(heads and self.position <= heads[0]["position"] <= self.manifest["last"], "the checkpoint saw nothing of this")
        position, seen = heads[0]["position"], hash_(heads[0]["hash"])
        check(self.marks.setdefault(position, seen) == seen, "two checkpoints contradict each other")
        self.checkpoints += 1

    def start(self):
        check(self.marks.get(self.position, self.hash) == self.hash, "the chain begins elsewhere than a checkpoint saw")

    def entry(self, entry):
        has(entry, ENTRY)
        if self.entries == 0:
            self.start()
        at = self.position + 1
        check(UUID(entry["site_id"]) == UUID(self.manifest["site_id"]), "belongs to another site")
        check(entry["position"] == at, f"entry {at} is missing or out of place")
        check(hash_(entry["previous_hash"]) == self.hash, f"entry {at} does not follow the entry before it")
        check(hash_(entry["hash"]) == entry_digest(entry, self.hash), f"entry {at} was altered")
        check(self.marks.get(at, hash_(entry["hash"])) == hash_(entry["hash"]), f"entry {at} is not what a checkpoint saw")
        self.position, self.hash = at, hash_(entry["hash"])
        self.entries += 1

    def end(self, end):
        has(end, END)
        if self.entries == 0:
            self.start()
        holds = (end["entries"] == self.entries and end["checkpoints"] == self.checkpoints
                 and self.position == self.manifest["last"] and hash_(end["last_hash"]) == self.hash)
        check(holds, "the numbers at the end are not those of the file")
        message = end_digest(self.manifest, self.hash, self.checkpoints)
        key = bytes.fromhex(self.manifest["public_key"])
        check(verifies(key, message, bytes.fromhex(end["signature"])), "the signature at the end is not of this file")
        self.done = True


def main():
    parser = argparse.ArgumentParser(description="Verifies an exported audit log.")
    parser.add_argument("--key", action="append", default=[], help="a public key from elsewhere than the file")
    parser.add_argument("file")
    asked = parser.parse_args()
    verifier, line = Verifier(asked.key), 0
    try:
        with open(asked.file, encoding="utf-8", newline="\n") as file:
            for line, text_ in enumerate(file, 1):
                verifier.line(text_)
            line += 1
        check(verifier.done, "the file ends before its end")
    except Bad as problem:
        print(f"line {line}: {problem}")
        return 1
    manifest, seen = verifier.manifest, max(verifier.marks, default=0)
    print(f"intact: {verifier.entries} entries, {manifest['first']} to {manifest['last']}, a checkpoint saw {seen}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
