//! An expression's value, node by node.

use super::arithmetic::{calculate, negated};
use super::call::number;
use super::value::Value;
use super::{Comparison, Fault, Fold, Lookup, Node, Operator, What};
use crate::time::{Span, Timestamp};
use std::borrow::Cow;

impl Node {
    /// What it yields. `locals` are the variables of the folds around it.
    pub(super) fn value<'a>(
        &'a self,
        lookup: &'a impl Lookup,
        locals: &mut Vec<Value<'a>>,
    ) -> Result<Value<'a>, Fault> {
        let fault = |message: String| Fault::new(self.at, message);
        Ok(match &self.what {
            What::Null => Value::Null,
            What::Bool(value) => Value::Bool(*value),
            What::Number(number) => Value::Number(number.clone()),
            What::Text(text) => Value::text(text),
            What::Time(time) => Value::Time(*time),
            What::Duration(span) => Value::Duration(*span),
            What::Slot(slot) => lookup.value(*slot).map_err(fault)?,
            What::Local(place) => locals[*place].clone(),
            What::Member(node, name) => member(node.value(lookup, locals)?, name).map_err(fault)?,
            What::Index(node, index) => {
                let value = node.value(lookup, locals)?;
                at_index(value, &index.value(lookup, locals)?).map_err(fault)?
            }
            What::Not(node) => Value::Bool(!node.truth(lookup, locals)?),
            What::Negate(node) => match node.value(lookup, locals)? {
                Value::Null => Value::Null,
                Value::Duration(span) => Value::Duration(Span(span.0.checked_neg().ok_or_else(|| fault(too_long()))?)),
                value => Value::Number(negated(&number(&value).map_err(fault)?)),
            },
            What::And(a, b) => Value::Bool(decided(false, a.truth(lookup, locals), || b.truth(lookup, locals))?),
            What::Or(a, b) => Value::Bool(decided(true, a.truth(lookup, locals), || b.truth(lookup, locals))?),
            What::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                match condition.truth(lookup, locals)? {
                    true => yes.value(lookup, locals)?,
                    false => no.value(lookup, locals)?,
                }
            }
            What::IsNull(node) => Value::Bool(matches!(node.value(lookup, locals)?, Value::Null)),
            What::Compare(comparison, a, b) => {
                let (a, b) = (a.value(lookup, locals)?, b.value(lookup, locals)?);
                Value::Bool(compare(*comparison, &a, &b).map_err(fault)?)
            }
            What::In(node, list) => {
                let (value, list) = (node.value(lookup, locals)?, list.value(lookup, locals)?);
                Value::Bool(is_in(&value, &list).map_err(fault)?)
            }
            What::Arithmetic(operator, a, b) => {
                let (a, b) = (a.value(lookup, locals)?, b.value(lookup, locals)?);
                arithmetic(*operator, a, b).map_err(fault)?
            }
            What::Call(function, arguments) => {
                let values: Result<Vec<_>, _> = arguments.iter().map(|node| node.value(lookup, locals)).collect();
                function.call(&values?).map_err(fault)?
            }
            What::List(nodes) => {
                let values: Result<Vec<_>, _> = nodes.iter().map(|node| node.value(lookup, locals)).collect();
                Value::List(values?)
            }
            What::Map(members) => {
                let mut object: Vec<(String, Value<'a>)> = Vec::with_capacity(members.len());
                for (name, node) in members {
                    let at_name = |message| Fault::new(name.at, message);
                    let value = name.value(lookup, locals)?;
                    let text = value
                        .as_text()
                        .ok_or_else(|| at_name(format!("{value} is no name; names in braces are texts")))?;
                    if object.iter().any(|(known, _)| known == text) {
                        return Err(at_name(format!("\"{text}\" stands twice in the braces")));
                    }
                    object.push((text.to_owned(), node.value(lookup, locals)?));
                }
                Value::Object(object)
            }
            What::Fold(fold) => fold.value(lookup, locals).map_err(|inner| match inner {
                Ok(fault) => fault,
                Err(message) => fault(message),
            })?,
            What::NotFalse(node) => Value::Bool(!matches!(node.truth(lookup, locals), Ok(false))),
        })
    }

    fn truth<'a>(&'a self, lookup: &'a impl Lookup, locals: &mut Vec<Value<'a>>) -> Result<bool, Fault> {
        self.value(lookup, locals)?.truth().map_err(|message| Fault::new(self.at, message))
    }
}

impl Fold {
    fn value<'a>(
        &'a self,
        lookup: &'a impl Lookup,
        locals: &mut Vec<Value<'a>>,
    ) -> Result<Value<'a>, Result<Fault, String>> {
        let items = match self.range.value(lookup, locals).map_err(Ok)? {
            Value::Null => return Ok(Value::Null),
            Value::List(items) => items,
            // Its names, as in CEL.
            Value::Object(members) => members.into_iter().map(|(name, _)| Value::Text(Cow::Owned(name))).collect(),
            other => return Err(Err(format!("{other} is no list"))),
        };
        let depth = locals.len();
        let mut carried = self.begin.value(lookup, locals).map_err(Ok)?;
        for item in items {
            locals.extend([item, carried]);
            let goes_on = self.goes_on.truth(lookup, locals);
            let next = match &goes_on {
                Ok(true) => self.step.value(lookup, locals),
                _ => Ok(locals[depth + 1].clone()),
            };
            locals.truncate(depth);
            carried = next.map_err(Ok)?;
            if !goes_on.map_err(Ok)? {
                break;
            }
        }
        locals.extend([Value::Null, carried]);
        let result = self.result.value(lookup, locals).map_err(Ok);
        locals.truncate(depth);
        result
    }
}

/// What `&&` (deciding: false) and `||` (deciding: true) say, as in CEL: a side that decides does so also if the other
/// cannot be evaluated.
#[inline]
pub(super) fn decided(
    deciding: bool,
    a: Result<bool, Fault>,
    b: impl FnOnce() -> Result<bool, Fault>,
) -> Result<bool, Fault> {
    match a {
        Ok(value) if value == deciding => Ok(deciding),
        Ok(_) => b(),
        Err(fault) => match b() {
            Ok(value) if value == deciding => Ok(deciding),
            _ => Err(fault),
        },
    }
}

/// A comparison; with null it is false.
pub(super) fn compare(comparison: Comparison, a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    match comparison {
        Comparison::Equal => Ok(a.equals(b)?.unwrap_or(false)),
        Comparison::NotEqual => Ok(a.equals(b)?.is_some_and(|equal| !equal)),
        comparison => Ok(a.compare(b)?.is_some_and(|order| comparison.holds(order))),
    }
}

/// Whether a list has a value. What is of another type than all of the list's is no silent no.
pub(super) fn is_in(value: &Value<'_>, list: &Value<'_>) -> Result<bool, String> {
    let items = match list {
        Value::Null => return Ok(false),
        Value::List(items) => items,
        Value::Object(members) => {
            let name = value.as_text().ok_or_else(|| format!("{value} is no name"))?;
            return Ok(members.iter().any(|(member, _)| member == name));
        }
        other => return Err(format!("{other} is no list")),
    };
    let (mut compared, mut fault) = (false, None);
    for item in items {
        match value.equals(item) {
            Ok(Some(true)) => return Ok(true),
            Ok(_) => compared = true,
            Err(message) => fault = fault.or(Some(message)),
        }
    }
    match fault {
        Some(message) if !compared => Err(message),
        _ => Ok(false),
    }
}

fn arithmetic<'a>(operator: Operator, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, String> {
    Ok(match (operator, a, b) {
        (_, Value::Null, _) | (_, _, Value::Null) => Value::Null,
        (Operator::Add, Value::List(mut a), Value::List(b)) => {
            a.extend(b);
            Value::List(a)
        }
        (Operator::Add, a @ Value::Text(_), b @ (Value::Text(_) | Value::Cell(_)))
        | (Operator::Add, a @ Value::Cell(_), b @ Value::Text(_)) => {
            Value::Text(Cow::Owned([a.as_text(), b.as_text()].map(Option::unwrap_or_default).concat()))
        }
        (Operator::Subtract, Value::Time(a), Value::Time(b)) => {
            Value::Duration(Span(a.0.checked_sub(b.0).ok_or_else(too_long)?))
        }
        (Operator::Add, Value::Time(time), Value::Duration(span))
        | (Operator::Add, Value::Duration(span), Value::Time(time)) => {
            Value::Time(Timestamp(time.0.checked_add(span.0).ok_or_else(too_far)?))
        }
        (Operator::Subtract, Value::Time(time), Value::Duration(span)) => {
            Value::Time(Timestamp(time.0.checked_sub(span.0).ok_or_else(too_far)?))
        }
        (Operator::Add, Value::Duration(a), Value::Duration(b)) => {
            Value::Duration(Span(a.0.checked_add(b.0).ok_or_else(too_long)?))
        }
        (Operator::Subtract, Value::Duration(a), Value::Duration(b)) => {
            Value::Duration(Span(a.0.checked_sub(b.0).ok_or_else(too_long)?))
        }
        (operator, a, b) => match (a.as_number(), b.as_number()) {
            (Some(a), Some(b)) => Value::Number(calculate(operator, &a, &b)?),
            _ => return Err(format!("{a} {operator} {b} cannot be calculated")),
        },
    })
}

fn too_long() -> String {
    "a duration is longer than 292 years".into()
}

fn too_far() -> String {
    "a time is outside the years 1677 to 2262".into()
}

fn member<'a>(value: Value<'a>, name: &str) -> Result<Value<'a>, String> {
    match value {
        Value::Null => Ok(Value::Null),
        // Of equal names the last one counts (N5); serde_json has seen to that.
        Value::Object(members) => {
            Ok(members.into_iter().find(|(member, _)| member == name).map_or(Value::Null, |(_, value)| value))
        }
        other => Err(format!("{other} has no member \"{name}\"")),
    }
}

fn at_index<'a>(value: Value<'a>, index: &Value<'_>) -> Result<Value<'a>, String> {
    match (value, index) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (value @ Value::Object(_), index) => match index.as_text() {
            Some(name) => member(value, name),
            None => Err(format!("{index} is no name")),
        },
        (Value::List(mut items), index) => {
            let place = number(index)?.exact().filter(|(_, scale)| *scale == 0);
            let place = place.ok_or_else(|| format!("{index} is no place in a list"))?.0;
            let place = usize::try_from(place).ok().filter(|place| *place < items.len());
            Ok(place.map_or(Value::Null, |place| items.swap_remove(place)))
        }
        (other, _) => Err(format!("{other} has no members")),
    }
}
