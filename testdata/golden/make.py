#!/usr/bin/env python3
"""Computes the golden results: an independent and simple reading of the rules, with nothing of streamw in it."""
import argparse, csv, io, json, re, shlex
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).parent
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SECOND = 10**9


class Number(str):
    """A JSON number as written."""


def duration(text):
    return sum(int(n) * UNITS[u] * SECOND for n, u in re.findall(r"(\d+)([smhd])", text))


def time_ns(value):
    """Nanoseconds since 1970, or None."""
    if isinstance(value, Number) or isinstance(value, str) and re.fullmatch(r"\d+", value):
        value = int(value)
        return value * (SECOND if value < 10**11 else 10**6 if value < 10**14 else 1000)
    if not isinstance(value, str) or not value:
        return None
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1) * 1000


def time_text(ns):
    text = (datetime(1970, 1, 1) + timedelta(seconds=ns // SECOND)).isoformat()
    fraction = ns % SECOND
    for digits in (3, 6, 9):
        if fraction and fraction % 10 ** (9 - digits) == 0:
            text += f".{fraction // 10 ** (9 - digits):0{digits}d}"
            break
    return f'"{text}Z"'


def read_json(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def look_up(record, field):
    if field in record:
        return record[field]
    for step in field[1:].split("/") if field.startswith("/") else field.split("."):
        if isinstance(record, dict):
            record = record.get(step)
        elif isinstance(record, list) and step.isdigit() and int(step) < len(record):
            record = record[int(step)]
        else:
            return None
    return record


def pointed(literal):
    return any(c in literal for c in ".eE")


def exact(value, with_point):
    """All digits of a decimal fraction."""
    if value.denominator == 1:
        return f"{value.numerator}.0" if with_point else str(value.numerator)
    scale = next(s for s in range(400) if (value * 10**s).denominator == 1)
    digits = str(abs(int(value * 10**scale))).rjust(scale + 1, "0")
    return ("-" if value < 0 else "") + digits[:-scale] + "." + digits[-scale:]


def as_read(value, is_csv):
    if value is None or is_csv and value == "":
        return "null"
    if isinstance(value, Number) or is_csv and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", value):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def aggregate(function, field, events, is_csv):
    """The result over events in arrival order, as JSON."""
    if function == "count" and not field:
        return str(len(events))
    values = [(e["time"], e["place"], look_up(e["record"], field)) for e in events]
    values = [v for v in values if v[2] is not None and not (is_csv and v[2] == "")]
    if function == "count":
        return str(len(values))
    if not values:
        return "null"
    if function == "first":
        return as_read(min(values)[2], is_csv)
    if function == "last":
        return as_read(max(values)[2], is_csv)
    literals = [v[2] for v in values]
    numbers = [Fraction(literal) for literal in literals]
    any_point = any(map(pointed, literals))
    if function in ("min", "max"):
        best = min(numbers) if function == "min" else max(numbers)
        return exact(best, all(pointed(l) for l, n in zip(literals, numbers) if n == best))
    if function == "sum":
        return exact(sum(numbers), any_point)
    if function == "range":
        return exact(max(numbers) - min(numbers), any_point)
    assert function == "avg"
    return repr(float(sum(numbers) / len(numbers)))


def key_order(key):
    return [(0,) if part is None else (1, Fraction(part)) if isinstance(part, Number) else (2, part.encode()) for part in key]


def windows_of(spec, time):
    size, slide = spec
    start = time // slide * slide
    while start + size > time:
        yield (start, start + size)
        start -= slide


def run(flags, lines, is_csv):
    rows, count = [], dict.fromkeys(["records", "blank", "headers", "bad", "events", "late_drops"], 0)
    keys = [k.split("=")[-1] for k in flags.k]
    aggs = [re.fullmatch(r"(?:(\w+)=)?(\w+)(?::(.*))?", a).groups() for a in flags.a]
    D, L = duration(flags.d), duration(flags.l)
    session = duration(flags.w[8:]) if flags.w.startswith("session:") else None
    if not session:
        size, _, slide = flags.w.partition("/")
        spec = (duration(size), duration(slide or size))

    def row(window, key, events, pane, revision):
        parts = [f'"window_start":{time_text(window[0])}', f'"window_end":{time_text(window[1])}']
        parts += [f"{json.dumps(name)}:{as_read(part, False)}" for name, part in zip(keys, key)]
        for name, function, field in aggs:
            name = name or re.sub(r"\W", "_", function + (f"_{field}" if field else ""))
            parts.append(f'"{name}":{aggregate(function, field, sorted(events, key=lambda e: e["place"]), is_csv)}')
        rows.append("{" + ",".join(parts) + f',"pane":"{pane}","revision":{revision}}}')

    events = []
    records = csv.DictReader(io.StringIO("".join(lines))) if is_csv else map(read_json, lines)
    count["headers"] = int(is_csv)
    for record in records:
        time = time_ns(look_up(record, flags.t))
        if time is None:
            count["bad"] += 1
            continue
        key = tuple((look_up(record, k) or None) if is_csv else look_up(record, k) for k in keys)
        events.append({"time": time, "key": key, "record": record, "place": len(events)})
    count["events"] = len(events)
    count["records"] = len(events) + count["bad"] + count["headers"]

    if session:
        # All in time order; the delay covers the disorder, else this would not be right.
        newest = None
        for event in events:
            newest = max(newest or event["time"], event["time"])
            assert newest - event["time"] <= D
        found = []
        for event in sorted(events, key=lambda e: (key_order(e["key"]), e["time"])):
            last = found[-1] if found else None
            if last and last[1] == event["key"] and event["time"] <= last[0][1]:
                last[0][1] = event["time"] + session
                last[2].append(event)
            else:
                found.append(([event["time"], event["time"] + session], event["key"], [event]))
        for window, key, group in sorted(found, key=lambda f: (f[0][1], f[0][0], key_order(f[1]))):
            row(window, key, group, "on_time", 0)
        return rows, count

    W = None
    state, revisions = {}, {}

    def fire(until):
        due = [(w, k) for w, k in state if (w, k) not in revisions and (until is None or w[1] <= until)]
        for window, key in sorted(due, key=lambda f: (f[0][1], f[0][0], key_order(f[1]))):
            row(window, key, state[window, key], "on_time", 0)
            revisions[window, key] = 0

    for event in events:
        kept = sorted(w for w in windows_of(spec, event["time"]) if W is None or w[1] + L > W)
        count["late_drops"] += not kept
        for window in kept:
            place = window, event["key"]
            state.setdefault(place, []).append(event)
            if W is not None and window[1] <= W:
                revisions[place] = revisions.get(place, -1) + 1
                row(window, event["key"], state[place], "late", revisions[place])
        W = event["time"] - D if W is None else max(W, event["time"] - D)
        fire(W)
    fire(None)
    return rows, count


def main():
    for line in (HERE / "cases.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, source, most, *words = shlex.split(line)
        parser = argparse.ArgumentParser()
        for flag in ("-t", "-w"):
            parser.add_argument(flag)
        for flag in ("-d", "-l"):
            parser.add_argument(flag, default="0s")
        for flag in ("-k", "-a"):
            parser.add_argument(flag, action="append", default=[])
        lines = (HERE / source).read_text().splitlines(keepends=True)[: int(most)]
        rows, count = run(parser.parse_args(words), lines, source.endswith(".csv"))
        (HERE / f"{name}.expected").write_text("\n".join([*rows, json.dumps(count, separators=(",", ":"))]) + "\n")


if __name__ == "__main__":
    main()
