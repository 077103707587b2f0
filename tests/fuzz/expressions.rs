//! Expressions: whatever is typed is read or refused at a place inside of it; what is read is CEL, evaluates or faults inside of itself, and
//! its compiled condition says what its tree says.

use crate::fuzz::{Checked, Signature, Target, equal};
use streamw::expr::{Fault, Lookup, Scope, Type, Value, parse};

const SEEDS: &[&str] = &[
    "count < 100 && path != \"/health\"",
    "p99 > 250 || !(half >= 0.5) && t.startsWith('ab')",
    "row[\"user agent\"].contains(\"bot\") ? n + 1.5e3 : -n / 3 % 2",
    "t in ['a', 'abc'] || list.exists(x, x > 1) || list.map(x, x * 2)[0] == 2",
    "has(o.p) && o.q.r == null && size(list) > 0x10 && cell * 2 >= 7u",
    "timestamp(at) - duration('1h30m') > timestamp('2026-01-01T00:00:00Z') && timestamp(n).getHours('Europe/Berlin') > 3",
    "{'abc': 1, t: {'x': [n]}}[t] != null && {'a': 1}.a == 1 && 'a' in {'a': 2} || [1, null] == list",
    "string(duration('5m')).split('s').join('-').replace('0', t).substring(1, 2).indexOf('x') + int(timestamp(at)) >= uint(n)",
    "double(t) + math.floor(half) != int('7') || t.matches('^a+$') // so",
];

const WORDS: &[&str] = &[
    "n",
    "half",
    "t",
    "list",
    "o.p",
    "cell",
    "null",
    "true",
    "0.1",
    "1e3",
    "99999999999999999999",
    "'a'",
    "\"b\"",
    "r'\\d'",
    " && ",
    " || ",
    " == ",
    " < ",
    " in ",
    "!",
    "-",
    " + ",
    " / ",
    " % ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".size()",
    ".all(x, x)",
    "has(",
    " ? ",
    " : ",
    "row[\"",
    "`",
    "\\u00e9",
    "é",
    "\n",
    "//",
    "=",
    "and",
    "math.abs(",
    "timestamp(",
    "duration('1h')",
    "'-1.5s'",
    ".getHours('+01:00')",
    ".getDayOfYear()",
    "at",
    "{'a': ",
    "'a': 1}",
    ".split('')",
    ".substring(1)",
    ".lastIndexOf('b', 2)",
    ".charAt(",
    "9223372036854775807",
];

const NAMES: [&str; 9] = ["n", "half", "t", "list", "o", "cell", "count", "o.p", "at"];

struct Fields;

impl Scope for Fields {
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String> {
        Ok((NAMES.iter().position(|known| *known == name).unwrap_or(NAMES.len()), Type::Any))
    }
}

impl Lookup for Fields {
    fn value(&self, slot: usize) -> Result<Value<'_>, String> {
        let json = match NAMES.get(slot) {
            Some(&"n") => "5",
            Some(&"half") => "0.5",
            Some(&"t") => "\"abc\"",
            Some(&"list") => "[1,2,[3],\"x\",null]",
            Some(&"o") => "{\"p\":1,\"q\":{\"r\":null}}",
            Some(&"at") => "\"2026-03-29T00:59:59.25Z\"",
            Some(&"cell") => return Ok(Value::Cell("007")),
            Some(&"count") => return Err("has no value".into()),
            _ => "null",
        };
        Value::of_json(json.as_bytes()).ok_or_else(|| json.to_owned())
    }
}

fn check(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let is_inside = |fault: &Fault| match fault.at <= text.len() && text.is_char_boundary(fault.at) {
        true => Ok(()),
        false => Err(format!("{fault:?} is not inside of {text:?}")),
    };
    let program = match parse(&text, &mut Fields) {
        Ok(program) => program,
        Err(fault) => {
            is_inside(&fault)?;
            return Ok(Signature::of(fault.message.split('"').next().unwrap_or_default().len()));
        }
    };
    let value = program.value(&Fields);
    let condition = program.is_true(&Fields);
    if let Err(fault) = &value {
        is_inside(fault)?;
    }
    let expected = value.as_ref().ok().and_then(|value| value.truth().ok());
    equal("as a condition", &expected, &condition.as_ref().ok().copied())?;
    let kind = match &value {
        Ok(value) => format!("{value:?}").len() % 64,
        Err(fault) => 64 + fault.message.len(),
    };
    Ok(Signature::of((kind, program.slots().len())))
}

#[test]
fn expressions() {
    let seeds = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    Target { name: "expressions", seeds, words: WORDS }.run(check);
}
