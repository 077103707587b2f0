//! Expressions against a naive twin: random ones are written down, read by the program, and evaluated here by walking the
//! tree they were made from, in `f64` and with no idea of columns, slots or compiled shapes.

use crate::fuzz::Random;
use std::fmt;
use streamw::expr::{Lookup, Scope, Type, Value, parse};

/// An expression as it was made up.
#[derive(Clone, Debug)]
enum Tree {
    Null,
    Bool(bool),
    /// In quarters, so that `f64` is exact.
    Number(i64),
    Text(&'static str),
    Name(usize),
    Not(Box<Tree>),
    Negate(Box<Tree>),
    Pair(&'static str, Box<Tree>, Box<Tree>),
    Choice(Box<[Tree; 3]>),
    In(Box<Tree>, Vec<Tree>),
    Test(&'static str, Box<Tree>, &'static str),
    /// A function of one value.
    Call(&'static str, Box<Tree>),
    /// A part of a time or a duration.
    Part(&'static str, Box<Tree>),
    /// Texts and values in braces, and the text that is looked up.
    Lookup(Vec<(&'static str, Tree)>, Box<Tree>),
    List(Vec<Tree>),
}

/// A value, the plain way.
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// In milliseconds, from the epoch.
    Time(i64),
    /// In milliseconds.
    Duration(i64),
    List(Vec<Plain>),
}

/// Texts that are times, and what they mean.
const TIMES: [(&str, i64); 4] = [
    ("1970-01-01T00:00:00Z", 0),
    ("1970-01-02T03:04:05.250Z", 97_445_250),
    ("1969-12-31T23:59:59Z", -1_000),
    ("2026-01-01T01:00:00+01:00", 1_767_225_600_000),
];

/// The same of durations.
const DURATIONS: [(&str, i64); 5] =
    [("0s", 0), ("1h30m", 5_400_000), ("-250ms", -250), ("1.5s", 1_500), ("1d 1h", 90_000_000)];

/// The fields, a few of each type.
const NAMES: [&str; 9] = ["n", "half", "zero", "t", "u", "yes", "no", "missing", "http.status"];

fn field(name: usize) -> Plain {
    match NAMES[name] {
        "n" => Plain::Number(5.0),
        "half" => Plain::Number(0.5),
        "zero" => Plain::Number(0.0),
        "t" => Plain::Text("abc".into()),
        "u" => Plain::Text("x\"y".into()),
        "yes" => Plain::Bool(true),
        "no" => Plain::Bool(false),
        "http.status" => Plain::Number(404.0),
        _ => Plain::Null,
    }
}

struct Fields;

impl Scope for Fields {
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String> {
        NAMES.iter().position(|known| *known == name).map(|slot| (slot, Type::Any)).ok_or_else(|| name.to_owned())
    }
}

impl Lookup for Fields {
    fn value(&self, slot: usize) -> Result<Value<'_>, String> {
        Ok(match field(slot) {
            Plain::Null => Value::Null,
            Plain::Bool(value) => Value::Bool(value),
            Plain::Number(number) => Value::of_json(number.to_string().as_bytes()).expect("a number"),
            Plain::Text(text) => Value::Text(text.into()),
            other => unreachable!("no field is {other:?}"),
        })
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tree::Null => f.write_str("null"),
            Tree::Bool(value) => write!(f, "{value}"),
            Tree::Number(quarters) => write!(f, "{}", *quarters as f64 / 4.0),
            Tree::Text(text) => write!(f, "{}", serde_json::to_string(text).expect("a text")),
            Tree::Name(name) if NAMES[*name].len().is_multiple_of(2) => write!(f, "row[\"{}\"]", NAMES[*name]),
            Tree::Name(name) => f.write_str(NAMES[*name]),
            Tree::Not(tree) => write!(f, "!({tree})"),
            Tree::Negate(tree) => write!(f, "-({tree})"),
            Tree::Pair(operator, a, b) => write!(f, "({a}) {operator} ({b})"),
            Tree::Choice(parts) => write!(f, "({}) ? ({}) : ({})", parts[0], parts[1], parts[2]),
            Tree::In(value, list) => {
                let list: Vec<_> = list.iter().map(Tree::to_string).collect();
                write!(f, "({value}) in [{}]", list.join(", "))
            }
            Tree::Call(name, value) => write!(f, "{name}({value})"),
            Tree::Part(name, value) => write!(f, "({value}).{name}()"),
            Tree::Lookup(members, name) => {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("'{name}': {value}")).collect();
                write!(f, "{{{}}}[{name}]", members.join(", "))
            }
            Tree::List(items) => {
                let items: Vec<_> = items.iter().map(Tree::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Tree::Test(name, value, text) => {
                write!(f, "({value}).{name}({})", serde_json::to_string(text).expect("a text"))
            }
        }
    }
}

const COMPARISONS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];
const TEXTS: [&str; 5] = ["", "abc", "b", "x\"y", "zz"];

fn word(random: &mut Random, among: &[&'static str]) -> &'static str {
    among[random.below(among.len())]
}

/// An expression at most so deep; one that tends to make sense, as most others are faults.
fn tree(random: &mut Random, depth: usize, wanted: usize) -> Tree {
    let wanted = if random.below(12) == 0 { random.below(5) } else { wanted };
    if depth == 0 || random.below(5) == 0 {
        return match (wanted, random.below(4)) {
            (_, 0) if random.below(3) == 0 => Tree::Null,
            (_, 0) => Tree::Name(7),
            (0, 1) => Tree::Bool(random.below(2) == 0),
            (0, _) => Tree::Name(5 + random.below(2)),
            (1, 1 | 2) => Tree::Number(random.below(24) as i64 - 8),
            (1, _) => Tree::Name(*random.pick(&[0, 1, 2, 8])),
            (3, 1) => Tree::Call("timestamp", Box::new(Tree::Number(4 * random.below(100) as i64))),
            (3, _) => Tree::Call("timestamp", Box::new(Tree::Text(random.pick(&TIMES).0))),
            (4, _) => Tree::Call("duration", Box::new(Tree::Text(random.pick(&DURATIONS).0))),
            (_, 1 | 2) => Tree::Text(word(random, &TEXTS)),
            _ => Tree::Name(3 + random.below(2)),
        };
    }
    let mut inner = |wanted| Box::new(tree(random, depth - 1, wanted));
    match wanted {
        0 => {
            let (conditions, numbers, texts) = ([inner(0), inner(0)], [inner(1), inner(1)], [inner(2), inner(2)]);
            let [a, b] = conditions;
            match random.below(12) {
                9 | 10 => {
                    let kind = 3 + random.below(2);
                    let mut moment = || Box::new(tree(random, depth - 1, kind));
                    let (x, y) = (moment(), moment());
                    Tree::Pair(word(random, &COMPARISONS), x, y)
                }
                11 => {
                    let [x, y] = numbers;
                    let list = |first: Tree, random: &mut Random| {
                        let rest = (0..random.below(2)).map(|_| Tree::Number(4 * random.below(2) as i64));
                        Box::new(Tree::List(std::iter::once(first).chain(rest).collect()))
                    };
                    let (x, y) = (list(*x, random), list(*y, random));
                    Tree::Pair(word(random, &["==", "!="]), x, y)
                }
                0 => Tree::Not(a),
                1 => Tree::Pair("&&", a, b),
                2 => Tree::Pair("||", a, b),
                3 => {
                    let [x, y] = texts;
                    Tree::Pair(word(random, &COMPARISONS), x, y)
                }
                4 => {
                    let [x, y] = texts;
                    let mut list = vec![*y];
                    list.extend((0..random.below(3)).map(|_| Tree::Text(word(random, &TEXTS))));
                    Tree::In(x, list)
                }
                5 => {
                    let [x, _] = texts;
                    Tree::Test(word(random, &["startsWith", "endsWith", "contains"]), x, word(random, &TEXTS))
                }
                6 => {
                    let [x, y] = numbers;
                    Tree::In(x, vec![*y, Tree::Number(20)])
                }
                _ => {
                    let [x, y] = numbers;
                    Tree::Pair(word(random, &COMPARISONS), x, y)
                }
            }
        }
        1 => {
            let parts = [inner(0), inner(1), inner(1)];
            let [condition, a, b] = parts;
            match random.below(10) {
                7 => Tree::Part(word(random, &PARTS), Box::new(tree(random, depth - 1, 3))),
                8 => Tree::Part(word(random, &PARTS[..4]), Box::new(tree(random, depth - 1, 4))),
                9 => {
                    let name = Box::new(tree(random, depth - 1, 2));
                    Tree::Lookup(vec![("abc", *a), ("zz", *b)], name)
                }
                0 => Tree::Negate(a),
                1 => Tree::Choice(Box::new([*condition, *a, *b])),
                other => Tree::Pair(["+", "-", "*", "/", "%"][other - 2], a, b),
            }
        }
        3 => {
            let (time, duration, condition, other) = (inner(3), inner(4), inner(0), inner(3));
            match random.below(4) {
                0 => Tree::Pair("+", time, duration),
                1 => Tree::Pair("+", duration, time),
                2 => Tree::Pair("-", time, duration),
                _ => Tree::Choice(Box::new([*condition, *time, *other])),
            }
        }
        4 => {
            let (times, durations, condition) = ([inner(3), inner(3)], [inner(4), inner(4)], inner(0));
            let ([from, to], [a, b]) = (times, durations);
            match random.below(5) {
                0 => Tree::Pair("-", to, from),
                1 => Tree::Pair("+", a, b),
                2 => Tree::Pair("-", a, b),
                3 => Tree::Negate(a),
                _ => Tree::Choice(Box::new([*condition, *a, *b])),
            }
        }
        _ => {
            let (a, b) = (inner(2), inner(2));
            match random.below(5) {
                0 => Tree::Call("string", Box::new(tree(random, depth - 1, 4))),
                _ => Tree::Pair("+", a, b),
            }
        }
    }
}

const PARTS: [&str; 7] =
    ["getHours", "getMinutes", "getSeconds", "getMilliseconds", "getFullYear", "getDayOfWeek", "getDate"];

/// A part of a time, in milliseconds, by way of a library that knows calendars.
fn part(name: &str, time: i64) -> f64 {
    let time = jiff::Timestamp::from_millisecond(time).expect("a time").to_zoned(jiff::tz::TimeZone::UTC);
    f64::from(match name {
        "getHours" => i32::from(time.hour()),
        "getMinutes" => time.minute().into(),
        "getSeconds" => time.second().into(),
        "getMilliseconds" => time.millisecond().into(),
        "getFullYear" => time.year().into(),
        "getDayOfWeek" => time.weekday().to_sunday_zero_offset().into(),
        _ => time.day().into(),
    })
}

/// A value, or nothing where there is none to be had.
fn value(tree: &Tree) -> Option<Plain> {
    Some(match tree {
        Tree::Null => Plain::Null,
        Tree::Bool(value) => Plain::Bool(*value),
        Tree::Number(quarters) => Plain::Number(*quarters as f64 / 4.0),
        Tree::Text(text) => Plain::Text((*text).into()),
        Tree::Name(name) => field(*name),
        Tree::Not(tree) => Plain::Bool(!truth(tree)?),
        Tree::Negate(tree) => match value(tree)? {
            Plain::Null => Plain::Null,
            Plain::Number(number) => Plain::Number(-number + 0.0),
            Plain::Duration(millis) => Plain::Duration(-millis),
            _ => return None,
        },
        Tree::Pair("&&", a, b) => match (truth(a), truth(b)) {
            (Some(false), _) | (_, Some(false)) => Plain::Bool(false),
            (Some(true), Some(true)) => Plain::Bool(true),
            _ => return None,
        },
        Tree::Pair("||", a, b) => match (truth(a), truth(b)) {
            (Some(true), _) | (_, Some(true)) => Plain::Bool(true),
            (Some(false), Some(false)) => Plain::Bool(false),
            _ => return None,
        },
        // Asking whether something is null is the one comparison with null.
        Tree::Pair("==", a, b) if is_null(a) || is_null(b) => {
            Plain::Bool(value(if is_null(a) { b } else { a })? == Plain::Null)
        }
        Tree::Pair("!=", a, b) if is_null(a) || is_null(b) => {
            Plain::Bool(value(if is_null(a) { b } else { a })? != Plain::Null)
        }
        Tree::Pair(operator, a, b) => pair(operator, value(a)?, value(b)?)?,
        Tree::Choice(parts) => value(if truth(&parts[0])? { &parts[1] } else { &parts[2] })?,
        Tree::In(item, list) => {
            let item = value(item)?;
            let list: Option<Vec<_>> = list.iter().map(value).collect();
            let found: Vec<_> = list?.into_iter().map(|other| pair("==", item.clone(), other)).collect();
            if found.contains(&Some(Plain::Bool(true))) {
                Plain::Bool(true)
            } else if found.iter().all(Option::is_none) {
                return None;
            } else {
                Plain::Bool(false)
            }
        }
        Tree::Test(name, text, with) => match value(text)? {
            Plain::Null => Plain::Bool(false),
            Plain::Text(text) => Plain::Bool(match *name {
                "startsWith" => text.starts_with(with),
                "endsWith" => text.ends_with(with),
                _ => text.contains(with),
            }),
            _ => return None,
        },
        Tree::Call(name, inner) => match (*name, value(inner)?) {
            (_, Plain::Null) => Plain::Null,
            ("timestamp", Plain::Time(millis)) => Plain::Time(millis),
            ("timestamp", Plain::Number(seconds)) => Plain::Time((seconds * 1_000.0) as i64),
            ("timestamp", Plain::Text(text)) => Plain::Time(TIMES.iter().find(|(known, _)| *known == text)?.1),
            ("duration", Plain::Duration(millis)) => Plain::Duration(millis),
            ("duration", Plain::Text(text)) => Plain::Duration(DURATIONS.iter().find(|(known, _)| *known == text)?.1),
            ("string", Plain::Duration(millis)) => Plain::Text(format!("{}s", millis as f64 / 1_000.0)),
            ("string", Plain::Text(text)) => Plain::Text(text),
            ("string", Plain::Bool(value)) => Plain::Text(value.to_string()),
            ("string", Plain::Number(number)) => Plain::Text(number.to_string()),
            ("string", Plain::Time(millis)) => {
                let time = jiff::Timestamp::from_millisecond(millis).expect("a time");
                Plain::Text(if millis % 1_000 == 0 { time.to_string() } else { format!("{time:.3}") })
            }
            _ => return None,
        },
        Tree::Part(name, inner) => match (*name, value(inner)?) {
            (_, Plain::Null) => Plain::Null,
            (name, Plain::Time(millis)) => Plain::Number(part(name, millis)),
            ("getHours", Plain::Duration(millis)) => Plain::Number((millis / 3_600_000) as f64),
            ("getMinutes", Plain::Duration(millis)) => Plain::Number((millis / 60_000) as f64),
            ("getSeconds", Plain::Duration(millis)) => Plain::Number((millis / 1_000) as f64),
            ("getMilliseconds", Plain::Duration(millis)) => Plain::Number((millis % 1_000) as f64),
            _ => return None,
        },
        Tree::Lookup(members, name) => {
            let values: Option<Vec<_>> = members.iter().map(|(name, member)| Some((*name, value(member)?))).collect();
            match (values?, value(name)?) {
                (_, Plain::Null) => Plain::Null,
                (values, Plain::Text(name)) => {
                    values.into_iter().find(|(known, _)| *known == name).map_or(Plain::Null, |(_, value)| value)
                }
                _ => return None,
            }
        }
        Tree::List(items) => Plain::List(items.iter().map(value).collect::<Option<_>>()?),
    })
}

/// Whether values of lists are equal: there null equals null, and nothing that follows a difference is looked at.
fn are_equal(a: &[Plain], b: &[Plain]) -> Option<bool> {
    if a.len() != b.len() {
        return Some(false);
    }
    for (a, b) in a.iter().zip(b) {
        let is_equal = match (a, b) {
            (Plain::Null, Plain::Null) => true,
            (Plain::Null, _) | (_, Plain::Null) => false,
            (a, b) => pair("==", a.clone(), b.clone())? == Plain::Bool(true),
        };
        if !is_equal {
            return Some(false);
        }
    }
    Some(true)
}

fn is_null(tree: &Tree) -> bool {
    matches!(tree, Tree::Null)
}

fn truth(tree: &Tree) -> Option<bool> {
    match value(tree)? {
        Plain::Bool(value) => Some(value),
        Plain::Null => Some(false),
        _ => None,
    }
}

fn pair(operator: &str, a: Plain, b: Plain) -> Option<Plain> {
    if COMPARISONS.contains(&operator) {
        let order = match (&a, &b) {
            (Plain::Null, _) | (_, Plain::Null) => return Some(Plain::Bool(false)),
            (Plain::Bool(a), Plain::Bool(b)) => a.cmp(b),
            (Plain::Number(a), Plain::Number(b)) => a.partial_cmp(b)?,
            (Plain::Text(a), Plain::Text(b)) => a.cmp(b),
            (Plain::Time(a), Plain::Time(b)) | (Plain::Duration(a), Plain::Duration(b)) => a.cmp(b),
            (Plain::List(a), Plain::List(b)) => {
                let is_equal = are_equal(a, b)?;
                return match operator {
                    "==" => Some(Plain::Bool(is_equal)),
                    "!=" => Some(Plain::Bool(!is_equal)),
                    _ => None,
                };
            }
            _ => return None,
        };
        return Some(Plain::Bool(match operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            "==" => order.is_eq(),
            _ => order.is_ne(),
        }));
    }
    Some(match (operator, a, b) {
        (_, Plain::Null, _) | (_, _, Plain::Null) => Plain::Null,
        ("+", Plain::Text(a), Plain::Text(b)) => Plain::Text(a + &b),
        ("+", Plain::Time(a), Plain::Duration(b)) | ("+", Plain::Duration(b), Plain::Time(a)) => Plain::Time(a + b),
        ("-", Plain::Time(a), Plain::Duration(b)) => Plain::Time(a - b),
        ("-", Plain::Time(a), Plain::Time(b)) => Plain::Duration(a - b),
        ("+", Plain::Duration(a), Plain::Duration(b)) => Plain::Duration(a + b),
        ("-", Plain::Duration(a), Plain::Duration(b)) => Plain::Duration(a - b),
        ("/" | "%", Plain::Number(_), Plain::Number(0.0)) => return None,
        (operator, Plain::Number(a), Plain::Number(b)) => Plain::Number(
            match operator {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                "/" => a / b,
                _ => a % b,
            } + 0.0,
        ),
        _ => return None,
    })
}

#[test]
fn random_expressions_say_what_the_naive_twin_says() {
    let mut random = Random::new(8);
    let (mut agreed, mut faults, mut refused) = (0, 0, 0);
    for _ in 0..30_000 {
        let wanted = random.below(5);
        let tree = tree(&mut random, 4, wanted);
        let text = tree.to_string();
        let expected = value(&tree);
        let program = match parse(&text, &mut Fields) {
            Ok(program) => program,
            // What is refused beforehand must have no value, or a part of it has none that was not needed.
            Err(fault) => {
                let is_typed = [
                    "cannot be compared",
                    "condition is needed",
                    "has no sense",
                    "needs a",
                    "names in braces",
                    "is not a time",
                    "is no duration",
                ];
                assert!(is_typed.iter().any(|words| fault.message.contains(words)), "{text}: {fault:?}");
                refused += 1;
                continue;
            }
        };
        let got = program.value(&Fields);
        match (&expected, &got) {
            (None, Err(_)) => faults += 1,
            (Some(expected), Ok(got)) => {
                let got = match got {
                    Value::Null => Plain::Null,
                    Value::Bool(value) => Plain::Bool(*value),
                    Value::Number(number) => Plain::Number(number.to_f64()),
                    Value::Text(text) => Plain::Text(text.to_string()),
                    Value::Time(time) => Plain::Time(time.0.div_euclid(1_000_000)),
                    Value::Duration(span) => Plain::Duration(span.0 / 1_000_000),
                    other => panic!("{text}: {other:?}"),
                };
                let is_close = match (expected, &got) {
                    // A quotient of quotients is rounded at each step here, and there only where it must be.
                    (Plain::Number(a), Plain::Number(b)) => (a - b).abs() <= 1e-12 * a.abs().max(1.0),
                    (a, b) => a == b,
                };
                assert!(is_close, "{text}: {got:?} and not {expected:?}");
                agreed += 1;
            }
            _ => panic!("{text}: {got:?} and not {expected:?}"),
        }
        // As a condition it says the same, compiled.
        let condition = program.is_true(&Fields);
        let expected = truth(&tree);
        assert_eq!(condition.as_ref().ok(), expected.as_ref(), "{text} as a condition: {condition:?}");
    }
    assert!(agreed > 10_000 && faults > 500 && refused > 100, "{agreed} {faults} {refused}");
}
