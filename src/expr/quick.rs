//! Conditions of the common shapes, compiled: they say what [`super::evaluate`] says, and allocate nothing.

use super::call::{Function, TextTest};
use super::evaluate::{compare, decided};
use super::value::{Value, compare_numbers};
use super::{Comparison, Fault, Lookup, Node, What};
use crate::event::number::Number;

/// A condition.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Both(Box<[Test; 2]>),
    Either(Box<[Test; 2]>),
    Not(Box<Test>),
    /// A name against a number.
    Number {
        slot: usize,
        comparison: Comparison,
        constant: Number,
        at: Places,
    },
    /// A name against a text.
    Text {
        slot: usize,
        comparison: Comparison,
        constant: String,
        at: Places,
    },
    /// A name among texts, in order.
    OneOf {
        slot: usize,
        texts: Vec<String>,
        at: Places,
    },
    /// What a name's text is like.
    Like {
        slot: usize,
        test: TextTest,
        at: Places,
    },
    /// Anything else.
    Other(Node),
}

/// Where in the expression the name stands, and the operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    name: usize,
    operator: usize,
}

impl Test {
    /// Compiles a condition.
    pub fn new(node: &Node) -> Test {
        match &node.what {
            What::And(a, b) => Test::Both(Box::new([Test::new(a), Test::new(b)])),
            What::Or(a, b) => Test::Either(Box::new([Test::new(a), Test::new(b)])),
            What::Not(inner) => Test::Not(Box::new(Test::new(inner))),
            What::Compare(comparison, a, b) => {
                let test = compiled_comparison(node.at, *comparison, a, b);
                test.or_else(|| compiled_comparison(node.at, comparison.turned(), b, a))
                    .unwrap_or_else(|| Test::Other(node.clone()))
            }
            What::In(name, list) => compiled_list(node.at, name, list).unwrap_or_else(|| Test::Other(node.clone())),
            What::Call(Function::Test(test), arguments) => match arguments.as_slice() {
                [Node { at, what: What::Slot(slot) }] => {
                    Test::Like { slot: *slot, test: test.clone(), at: Places { name: *at, operator: node.at } }
                }
                _ => Test::Other(node.clone()),
            },
            _ => Test::Other(node.clone()),
        }
    }

    /// What it says.
    #[inline]
    pub fn is_true(&self, lookup: &impl Lookup) -> Result<bool, Fault> {
        match self {
            Test::Number { slot, comparison, constant, at } => {
                let value = lookup.value(*slot).map_err(|message| Fault::new(at.name, message))?;
                match &value {
                    Value::Number(number) => Ok(comparison.holds(compare_numbers(number, constant))),
                    Value::Null => Ok(false),
                    other => compare(*comparison, other, &Value::Number(constant.clone()))
                        .map_err(|message| Fault::new(at.operator, message)),
                }
            }
            Test::Text { slot, comparison, constant, at } => {
                let value = lookup.value(*slot).map_err(|message| Fault::new(at.name, message))?;
                match value.as_text() {
                    Some(text) => Ok(comparison.holds(text.cmp(constant))),
                    None => compare(*comparison, &value, &Value::text(constant))
                        .map_err(|message| Fault::new(at.operator, message)),
                }
            }
            other => other.is_true_of_rest(lookup),
        }
    }

    fn is_true_of_rest(&self, lookup: &impl Lookup) -> Result<bool, Fault> {
        match self {
            Test::Both(tests) => decided(false, tests[0].is_true(lookup), || tests[1].is_true(lookup)),
            Test::Either(tests) => decided(true, tests[0].is_true(lookup), || tests[1].is_true(lookup)),
            Test::Not(test) => test.is_true(lookup).map(|holds| !holds),
            Test::OneOf { slot, texts, at } => {
                let value = lookup.value(*slot).map_err(|message| Fault::new(at.name, message))?;
                match (value.as_text(), &value) {
                    (Some(text), _) => Ok(texts.binary_search_by(|known| known.as_str().cmp(text)).is_ok()),
                    (None, Value::Null) => Ok(false),
                    (None, _) => value
                        .compare(&Value::text(&texts[0]))
                        .map(|_| false)
                        .map_err(|message| Fault::new(at.operator, message)),
                }
            }
            Test::Like { slot, test, at } => {
                let value = lookup.value(*slot).map_err(|message| Fault::new(at.name, message))?;
                match (value.as_text(), &value) {
                    (Some(text), _) => Ok(test.holds(text)),
                    (None, Value::Null) => Ok(false),
                    (None, _) => Err(Fault::new(at.operator, format!("{value} is no text"))),
                }
            }
            Test::Other(node) => {
                let value = node.value(lookup, &mut Vec::new())?;
                value.truth().map_err(|message| Fault::new(node.at, message))
            }
            Test::Number { .. } | Test::Text { .. } => self.is_true(lookup),
        }
    }
}

fn compiled_comparison(operator: usize, comparison: Comparison, name: &Node, constant: &Node) -> Option<Test> {
    let What::Slot(slot) = name.what else { return None };
    let at = Places { name: name.at, operator };
    match &constant.what {
        What::Number(number) => Some(Test::Number { slot, comparison, constant: number.clone(), at }),
        What::Text(text) => Some(Test::Text { slot, comparison, constant: text.clone(), at }),
        _ => None,
    }
}

fn compiled_list(operator: usize, name: &Node, list: &Node) -> Option<Test> {
    let (What::Slot(slot), What::List(items)) = (&name.what, &list.what) else { return None };
    let text = |item: &Node| match &item.what {
        What::Text(text) => Some(text.clone()),
        _ => None,
    };
    let mut texts = items.iter().map(text).collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())?;
    texts.sort_unstable();
    Some(Test::OneOf { slot: *slot, texts, at: Places { name: name.at, operator } })
}
