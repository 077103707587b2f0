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
}

/// A value, the plain way.
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

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
    let wanted = if random.below(12) == 0 { random.below(3) } else { wanted };
    if depth == 0 || random.below(5) == 0 {
        return match (wanted, random.below(4)) {
            (_, 0) if random.below(3) == 0 => Tree::Null,
            (_, 0) => Tree::Name(7),
            (0, 1) => Tree::Bool(random.below(2) == 0),
            (0, _) => Tree::Name(5 + random.below(2)),
            (1, 1 | 2) => Tree::Number(random.below(24) as i64 - 8),
            (1, _) => Tree::Name(*random.pick(&[0, 1, 2, 8])),
            (_, 1 | 2) => Tree::Text(word(random, &TEXTS)),
            _ => Tree::Name(3 + random.below(2)),
        };
    }
    let mut inner = |wanted| Box::new(tree(random, depth - 1, wanted));
    match wanted {
        0 => {
            let (conditions, numbers, texts) = ([inner(0), inner(0)], [inner(1), inner(1)], [inner(2), inner(2)]);
            let [a, b] = conditions;
            match random.below(9) {
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
            match random.below(7) {
                0 => Tree::Negate(a),
                1 => Tree::Choice(Box::new([*condition, *a, *b])),
                other => Tree::Pair(["+", "-", "*", "/", "%"][other - 2], a, b),
            }
        }
        _ => {
            let (a, b) = (inner(2), inner(2));
            Tree::Pair("+", a, b)
        }
    }
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
    })
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
        let wanted = random.below(3);
        let tree = tree(&mut random, 4, wanted);
        let text = tree.to_string();
        let expected = value(&tree);
        let program = match parse(&text, &mut Fields) {
            Ok(program) => program,
            // What is refused beforehand must have no value, or a part of it has none that was not needed.
            Err(fault) => {
                let is_typed = ["cannot be compared", "condition is needed", "has no sense", "needs a"];
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
