//! Calls in expressions: which function is meant, and whether it is given what it takes.

use super::call::{FUNCTIONS, Function, LEFT_OUT, Listed, OTHERS, Plain, TextTest};
use super::moment::{LocalClock, PARTS};
use super::syntax::{Reading, Typed, left_out};
use super::value::{Type, Value};
use super::{Fault, Lookup, Node, What};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

impl Reading<'_> {
    /// `name(...)`, `value.name(...)` or `math.name(...)`.
    pub(super) fn function(&mut self, call: &CallExpr, at: usize) -> Result<Typed, Fault> {
        let space = match call.target.as_deref() {
            Some(IdedExpr { expr: Expr::Ident(name), .. }) if is_space(name, &call.func_name) => Some(name),
            _ => None,
        };
        let target = call.target.as_deref().filter(|_| space.is_none());
        let name = space.map_or_else(|| call.func_name.clone(), |space| format!("{space}.{}", call.func_name));
        let at = self.name_begins(at, &name);
        let arguments: Vec<&IdedExpr> = target.into_iter().chain(&call.args).collect();
        if let ("startsWith" | "endsWith" | "contains" | "matches", [text, literal]) = (name.as_str(), &arguments[..])
            && let Expr::Literal(LiteralValue::String(literal_text)) = &literal.expr
            && (target.is_some() || name == "matches")
            && let Some(test) = TextTest::named(&name, literal_text.inner())
        {
            let test = test.map_err(|message| Fault::new(self.at(literal), message))?;
            let (node, _) = self.node_of(text, Type::Text, &name, at)?;
            return Ok((Node { at, what: What::Call(Function::Test(test), vec![node]) }, Type::Bool));
        }
        if name == "matches" {
            return Err(Fault::new(at, "matches takes an expression in quotes, as in path.matches(\"^/api/\")"));
        }
        if let Some(found) = self.of_time(&name, target.is_some(), &arguments, at)? {
            return Ok(found);
        }
        let listed = self.listed(&name, target.is_some(), at)?;
        if !(listed.least..=listed.most).contains(&arguments.len()) {
            return Err(Fault::new(at, takes(&name, target.is_some(), arguments.len(), (listed.least, listed.most))));
        }
        let is_of_literal = matches!(&arguments[0].expr, Expr::Literal(_));
        let nodes: Result<Vec<_>, _> = arguments.into_iter().map(|argument| Ok(self.node(argument)?.0)).collect();
        let node = Node { at, what: What::Call(Function::Plain(listed.function), nodes?) };
        let is_settled = is_of_literal && listed.function == Plain::Duration;
        Ok((if is_settled { settled(node)? } else { node }, listed.kind))
    }

    /// Where a function's name begins: the parser knows where its values do.
    pub(super) fn name_begins(&self, at: usize, name: &str) -> usize {
        let before = self.source.get(..at).unwrap_or_default().trim_end();
        before.strip_suffix(name).map_or(at, str::len)
    }

    /// `timestamp(...)`, `value.getHours(...)` and its like, and `dyn(...)`, which is what it is given.
    fn of_time(
        &mut self,
        name: &str,
        is_method: bool,
        arguments: &[&IdedExpr],
        at: usize,
    ) -> Result<Option<Typed>, Fault> {
        let count = |least, most| match (least..=most).contains(&arguments.len()) {
            true => Ok(()),
            false => Err(Fault::new(at, takes(name, is_method, arguments.len(), (least, most)))),
        };
        match (name, is_method) {
            ("dyn", false) => {
                count(1, 1)?;
                Ok(Some((self.node(arguments[0])?.0, Type::Any)))
            }
            ("timestamp", false) => {
                count(1, 1)?;
                let (node, kind) = self.node(arguments[0])?;
                if matches!(kind, Type::Bool | Type::List | Type::Object | Type::Duration) {
                    return Err(Fault::new(at, format!("timestamp(...) needs a text or a number, and this is {kind}")));
                }
                let is_literal = matches!(&arguments[0].expr, Expr::Literal(_)) && kind != Type::Null;
                let call = Function::Time(Box::new(self.scope.times()));
                let node = Node { at, what: What::Call(call, vec![node]) };
                Ok(Some((if is_literal { settled(node)? } else { node }, Type::Time)))
            }
            (name, true) => {
                let Some((_, part)) = PARTS.iter().find(|(known, _)| *known == name) else { return Ok(None) };
                count(1, 2)?;
                let (node, kind) = self.node(arguments[0])?;
                if !matches!(kind, Type::Any | Type::Null | Type::Time | Type::Duration) {
                    let hint = if kind == Type::Text { "; timestamp(...) makes one of it" } else { "" };
                    return Err(Fault::new(at, format!("{name} needs a time, and this is {kind}{hint}")));
                }
                let clock = match arguments.get(1) {
                    None => LocalClock::Ahead(0),
                    Some(zone) => {
                        let Expr::Literal(LiteralValue::String(text)) = &zone.expr else {
                            let message = format!("{name} takes a zone in quotes, as in {name}(\"Europe/Berlin\")");
                            return Err(Fault::new(self.at(zone), message));
                        };
                        LocalClock::parse(text.inner()).map_err(|message| Fault::new(self.at(zone), message))?
                    }
                };
                Ok(Some((Node { at, what: What::Call(Function::Part(*part, clock), vec![node]) }, Type::Number)))
            }
            _ => Ok(None),
        }
    }

    fn listed(&self, name: &str, is_method: bool, at: usize) -> Result<&'static Listed, Fault> {
        match FUNCTIONS.iter().find(|listed| listed.name == name) {
            Some(listed) if is_method && !listed.is_method => {
                Err(Fault::new(at, format!("write {name}(...), with the value inside")))
            }
            Some(listed) if !is_method && !listed.is_free => {
                Err(Fault::new(at, format!("write value.{name}(...), with the value before the point")))
            }
            Some(listed) => Ok(listed),
            None if LEFT_OUT.contains(&name) => Err(left_out(at, &format!("{name}(...)"))),
            None if OTHERS.contains(&name) || PARTS.iter().any(|(part, _)| *part == name) => {
                let is_free = matches!(name, "timestamp" | "dyn" | "has");
                let way = if is_free {
                    format!("{name}(...), with the value inside")
                } else {
                    format!("value.{name}(...), with the value before the point")
                };
                Err(Fault::new(at, format!("write {way}")))
            }
            None => {
                let parts = PARTS.iter().map(|(name, _)| *name);
                let known = FUNCTIONS.iter().map(|listed| listed.name).chain(OTHERS).chain(parts);
                let near = match OTHER_NAMES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
                    Some((_, meant)) => format!("; did you mean \"{meant}\"?"),
                    None => crate::suggest::near(name, known.clone()),
                };
                let all = if near.is_empty() {
                    format!(" (known: {})", known.collect::<Vec<_>>().join(" "))
                } else {
                    String::new()
                };
                Err(Fault::new(at, format!("there is no function {name}{near}{all}")))
            }
        }
    }
}

/// What functions are called elsewhere.
const OTHER_NAMES: [(&str, &str); 26] = [
    ("len", "size"),
    ("length", "size"),
    ("lower", "lowerAscii"),
    ("toLowerCase", "lowerAscii"),
    ("upper", "upperAscii"),
    ("toUpperCase", "upperAscii"),
    ("abs", "math.abs"),
    ("floor", "math.floor"),
    ("ceil", "math.ceil"),
    ("round", "math.round"),
    ("sqrt", "math.sqrt"),
    ("min", "math.least"),
    ("max", "math.greatest"),
    ("float", "double"),
    ("number", "double"),
    ("str", "string"),
    ("like", "matches"),
    ("match", "matches"),
    ("includes", "contains"),
    ("any", "exists"),
    ("every", "all"),
    ("exists", "has"),
    ("isNull", "== null"),
    ("not", "!"),
    ("is_null", "== null"),
    ("date", "timestamp"),
];

/// Names before a point that are those of functions and of no field.
fn is_space(name: &str, function: &str) -> bool {
    name == "math" || LEFT_OUT.iter().any(|left_out| left_out.split_once('.') == Some((name, function)))
}

/// How many values a function is given and takes, without the one before its point.
fn takes(name: &str, is_method: bool, given: usize, (least, most): (usize, usize)) -> String {
    let own = usize::from(is_method);
    let count = |count: usize| if count == 1 { "1 value".to_owned() } else { format!("{count} values") };
    let takes = match (least - own, most.saturating_sub(own)) {
        (least, most) if least == most => count(least),
        (least, most) if most >= usize::MAX - 1 => format!("{} or more", count(least)),
        (least, most) => format!("{least} or {}", count(most)),
    };
    format!("{name} is given {} and takes {takes}", count(given - own))
}

/// What looks at nothing, as the value that it is.
fn settled(node: Node) -> Result<Node, Fault> {
    struct Nothing;
    impl Lookup for Nothing {
        fn value(&self, _slot: usize) -> Result<Value<'_>, String> {
            Ok(Value::Null)
        }
    }
    let what = match node.value(&Nothing, &mut Vec::new())? {
        Value::Time(time) => What::Time(time),
        Value::Duration(span) => What::Duration(span),
        _ => return Ok(node),
    };
    Ok(Node { at: node.at, what })
}
