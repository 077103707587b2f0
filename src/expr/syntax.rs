//! From text to an expression that makes sense. CEL's own parser reads it; names, types and functions are checked here.

use super::mistake::mistake;
use super::moment::Times;
use super::quick::Test;
use super::value::Type;
use super::{Comparison, Fault, Fold, Node, Operator, Program, What};
use crate::event::number::Number;
use crate::time::zone::Zone;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue, SelectExpr, SourceInfo,
    operators,
};
use cel::parser::Parser;

/// The names that may stand in an expression.
pub trait Scope {
    /// The slot of a name, and what kind of value it has.
    ///
    /// # Errors
    /// There is no such name: why, and what was meant, for people.
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String>;

    /// How `timestamp(...)` reads times.
    fn times(&self) -> Times {
        Times::usual(Zone::utc())
    }
}

/// Most bytes of an expression, and how deep it may be nested.
const LONGEST: usize = 64 << 10;
const DEEPEST: u16 = 64;

/// Reads an expression.
///
/// # Errors
/// The first mistake, and where it is.
pub fn parse(source: &str, scope: &mut dyn Scope) -> Result<Program, Fault> {
    if source.len() > LONGEST {
        return Err(Fault::new(0, format!("an expression of {} bytes is too long", source.len())));
    }
    refuse_deep(source)?;
    let parser = Parser::new().enable_ident_escape_syntax(true).max_recursion_depth(DEEPEST);
    let (tree, info) = parser.parse_with_source_info(source).map_err(|errors| mistake(source, &errors))?;
    let mut reading = Reading { source, info: &info, scope, locals: Vec::new(), slots: Vec::new() };
    let (root, kind) = reading.node(&tree)?;
    let mut slots = reading.slots;
    slots.sort_unstable();
    slots.dedup();
    Ok(Program { source: source.to_owned(), test: Test::new(&root), root, kind, slots })
}

/// Reads a condition: an expression that can be true or false.
impl Program {
    /// The same program if it can be a condition.
    ///
    /// # Errors
    /// It yields something that is neither true nor false.
    pub fn condition(self) -> Result<Program, Fault> {
        match self.kind {
            Type::Bool | Type::Any => Ok(self),
            kind => {
                let hint = if kind == Type::Number { ", such as count > 100" } else { "" };
                Err(Fault::new(self.root.at, format!("a condition is needed{hint}, and this is {kind}")))
            }
        }
    }
}

/// What the parser would take too long for, or too much of the stack.
fn refuse_deep(source: &str) -> Result<(), Fault> {
    let mut depth = 0u16;
    for (at, byte) in source.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' | b'!' | b'-' | b'?' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 4 * DEEPEST {
            return Err(Fault::new(at, "the expression is nested too deeply"));
        }
    }
    Ok(())
}

/// An expression while it is read.
pub(super) struct Reading<'a> {
    pub(super) source: &'a str,
    info: &'a SourceInfo,
    pub(super) scope: &'a mut dyn Scope,
    /// Names of the variables of folds around the place, from the outermost.
    locals: Vec<String>,
    slots: Vec<usize>,
}

/// A node and its type, as far as it is known.
pub(super) type Typed = (Node, Type);

impl Reading<'_> {
    pub(super) fn at(&self, expression: &IdedExpr) -> usize {
        self.info.offset_for(expression.id).map_or(0, |(start, _)| start as usize)
    }

    pub(super) fn node(&mut self, expression: &IdedExpr) -> Result<Typed, Fault> {
        let at = self.at(expression);
        let (what, kind) = match &expression.expr {
            Expr::Literal(literal) => self.literal(literal, at)?,
            Expr::Ident(name) => match self.locals.iter().rposition(|local| local == name) {
                Some(place) => (What::Local(place), Type::Any),
                None => self.name(name, at)?,
            },
            Expr::Select(select) => return self.select(select, expression),
            Expr::Call(call) => return self.call(call, at),
            Expr::List(list) => {
                let nodes: Result<Vec<_>, _> = list.elements.iter().map(|item| Ok(self.node(item)?.0)).collect();
                (What::List(nodes?), Type::List)
            }
            Expr::Comprehension(fold) => (What::Fold(Box::new(self.fold(fold, at)?)), Type::Any),
            Expr::Map(map) => {
                let entry = |entry: &IdedEntryExpr| match &entry.expr {
                    EntryExpr::MapEntry(entry) if !entry.optional => {
                        let (name, kind) = self.node(&entry.key)?;
                        match kind {
                            Type::Text | Type::Any => Ok((name, self.node(&entry.value)?.0)),
                            kind => Err(Fault::new(name.at, format!("names in braces are texts, and this is {kind}"))),
                        }
                    }
                    _ => Err(left_out(at, "an optional entry")),
                };
                (What::Map(map.entries.iter().map(entry).collect::<Result<_, _>>()?), Type::Object)
            }
            Expr::Struct(message) => {
                let at = self.name_begins(at, &message.type_name);
                return Err(left_out(at, &format!("a message {}{{...}}", message.type_name)));
            }
            Expr::Unspecified => return Err(Fault::new(at, "this is no expression")),
        };
        Ok((Node { at, what }, kind))
    }

    fn literal(&self, literal: &LiteralValue, at: usize) -> Result<(What, Type), Fault> {
        Ok(match literal {
            LiteralValue::Null => (What::Null, Type::Null),
            LiteralValue::Boolean(value) => (What::Bool(*value.inner()), Type::Bool),
            LiteralValue::String(text) => (What::Text(text.inner().to_owned()), Type::Text),
            LiteralValue::Int(int) => (What::Number(Number::of_exact((*int.inner()).into(), 0, false)), Type::Number),
            LiteralValue::UInt(int) => (What::Number(Number::of_exact((*int.inner()).into(), 0, false)), Type::Number),
            LiteralValue::Double(float) => (What::Number(self.decimal(at, *float.inner())?), Type::Number),
            LiteralValue::Bytes(_) => {
                return Err(Fault::new(at, "bytes are a part of CEL that is left out here; write a text"));
            }
        })
    }

    /// A number with a point, as it stands in the source: exact (N1). The parser has made it an `f64`.
    fn decimal(&self, at: usize, float: f64) -> Result<Number, Fault> {
        let rest = &self.source[at..];
        let is_inside = |(place, c): &(usize, char)| {
            let follows_e = *place > 0 && matches!(rest.as_bytes()[place - 1], b'e' | b'E');
            c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E') || matches!(c, '+' | '-') && follows_e
        };
        let end = rest.char_indices().find(|place| !is_inside(place)).map_or(rest.len(), |(end, _)| end);
        let written = Number::parse(&rest.as_bytes()[..end]);
        let number = written.filter(|number| number.to_f64() == float.abs()).map(|number| match float < 0.0 {
            true => super::arithmetic::negated(&number),
            false => number,
        });
        let number = number.or_else(|| super::arithmetic::finite(float).ok());
        number.ok_or_else(|| Fault::new(at, "a number is too large"))
    }

    fn name(&mut self, name: &str, at: usize) -> Result<(What, Type), Fault> {
        let (slot, kind) = self.scope.resolve(name).map_err(|message| Fault::new(at, message))?;
        self.slots.push(slot);
        Ok((What::Slot(slot), kind))
    }

    /// `a.b.c`, a name with points if there is one, else a member of something; `has(a.b)`.
    fn select(&mut self, select: &SelectExpr, whole: &IdedExpr) -> Result<Typed, Fault> {
        if select.test {
            let plain = SelectExpr { test: false, ..select.clone() };
            let (node, _) = self.select(&plain, &select.operand)?;
            let at = node.at;
            let is_null = Node { at, what: What::IsNull(Box::new(node)) };
            return Ok((Node { at, what: What::Not(Box::new(is_null)) }, Type::Bool));
        }
        if let Some((name, at)) = self.dotted(select) {
            match self.scope.resolve(&name) {
                Ok((slot, kind)) => {
                    self.slots.push(slot);
                    return Ok((Node { at, what: What::Slot(slot) }, kind));
                }
                Err(message) => {
                    // A member of what has a shorter name, if there is such a thing.
                    let shorter = self.node(&select.operand);
                    let Ok((node, Type::Any)) = shorter else { return Err(Fault::new(at, message)) };
                    return Ok((Node { at, what: What::Member(Box::new(node), select.field.clone()) }, Type::Any));
                }
            }
        }
        let at = self.at(whole);
        let (node, _) = self.node(&select.operand)?;
        Ok((Node { at, what: What::Member(Box::new(node), select.field.clone()) }, Type::Any))
    }

    /// The whole name and where it begins, if it is one and no variable's member.
    fn dotted(&self, select: &SelectExpr) -> Option<(String, usize)> {
        match &select.operand.expr {
            Expr::Ident(name) if self.locals.contains(name) => None,
            Expr::Ident(name) => Some((format!("{name}.{}", select.field), self.at(&select.operand))),
            Expr::Select(inner) if !inner.test => {
                let (name, at) = self.dotted(inner)?;
                Some((format!("{name}.{}", select.field), at))
            }
            _ => None,
        }
    }

    fn call(&mut self, call: &CallExpr, at: usize) -> Result<Typed, Fault> {
        let boxed = |(node, _): Typed| Box::new(node);
        let (what, kind) = match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [a, b]) => (What::And(self.condition(a)?, self.condition(b)?), Type::Bool),
            (operators::LOGICAL_OR, [a, b]) => (What::Or(self.condition(a)?, self.condition(b)?), Type::Bool),
            (operators::LOGICAL_NOT, [a]) => (What::Not(self.condition(a)?), Type::Bool),
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let condition = *self.condition(condition)?;
                let ((yes, a), (no, b)) = (self.node(yes)?, self.node(no)?);
                let kind = if a == b { a } else { Type::Any };
                (What::Choice(Box::new([condition, yes, no])), kind)
            }
            (operators::NEGATE, [a]) => match self.node(a)? {
                (node, Type::Duration) => (What::Negate(Box::new(node)), Type::Duration),
                (node, Type::Any | Type::Null | Type::Number) => {
                    let kind = if may_be_time(&node) { Type::Any } else { Type::Number };
                    (What::Negate(Box::new(node)), kind)
                }
                (_, kind) => return Err(Fault::new(at, format!("- needs a number, and this is {kind}"))),
            },
            (operators::INDEX, [list, name]) if matches!(&list.expr, Expr::Ident(row) if row == "row") => {
                let Expr::Literal(LiteralValue::String(name)) = &name.expr else {
                    return Err(Fault::new(at, "row[...] takes a name in quotes, such as row[\"user agent\"]"));
                };
                let begin = self.at(list);
                let (what, kind) = self.name(name.inner(), begin)?;
                return Ok((Node { at: begin, what }, kind));
            }
            (operators::INDEX, [list, index]) => {
                (What::Index(boxed(self.node(list)?), boxed(self.node(index)?)), Type::Any)
            }
            (operators::IN, [value, list]) => (What::In(boxed(self.node(value)?), boxed(self.list(list)?)), Type::Bool),
            (operators::NOT_STRICTLY_FALSE, [a]) => (What::NotFalse(boxed(self.node(a)?)), Type::Bool),
            (name, [a, b]) if comparison(name).is_some() => {
                let comparison = comparison(name).unwrap_or(Comparison::Equal);
                self.comparison(comparison, a, b, at)?
            }
            (name, [a, b]) if operator(name).is_some() => {
                let operator = operator(name).unwrap_or(Operator::Add);
                self.arithmetic(operator, a, b, at)?
            }
            _ => return self.function(call, at),
        };
        Ok((Node { at, what }, kind))
    }

    fn condition(&mut self, expression: &IdedExpr) -> Result<Box<Node>, Fault> {
        let (node, kind) = self.node(expression)?;
        match kind {
            Type::Any | Type::Bool | Type::Null => Ok(Box::new(node)),
            kind => Err(Fault::new(node.at, format!("a condition is needed here, and this is {kind}"))),
        }
    }

    fn list(&mut self, expression: &IdedExpr) -> Result<Typed, Fault> {
        let (node, kind) = self.node(expression)?;
        match kind {
            Type::Any | Type::List | Type::Object | Type::Null => Ok((node, kind)),
            kind => Err(Fault::new(node.at, format!("\"in\" needs a list, such as [1, 2], and this is {kind}"))),
        }
    }

    pub(super) fn node_of(
        &mut self,
        expression: &IdedExpr,
        wanted: Type,
        operator: &str,
        at: usize,
    ) -> Result<Typed, Fault> {
        let (node, kind) = self.node(expression)?;
        match kind {
            Type::Any | Type::Null => Ok((node, kind)),
            kind if kind == wanted => Ok((node, kind)),
            kind => Err(Fault::new(at, format!("{operator} needs {wanted}, and this is {kind}"))),
        }
    }

    fn comparison(
        &mut self,
        comparison: Comparison,
        a: &IdedExpr,
        b: &IdedExpr,
        at: usize,
    ) -> Result<(What, Type), Fault> {
        let ((a, a_kind), (b, b_kind)) = (self.node(a)?, self.node(b)?);
        let what = match (comparison, &a.what, &b.what) {
            // Asking for null is no comparison with it.
            (Comparison::Equal, What::Null, _) => What::IsNull(Box::new(b)),
            (Comparison::Equal, _, What::Null) => What::IsNull(Box::new(a)),
            (Comparison::NotEqual, What::Null, _) => not_null(b),
            (Comparison::NotEqual, _, What::Null) => not_null(a),
            _ => {
                let is_known = |kind: Type| !matches!(kind, Type::Any | Type::Null);
                if is_known(a_kind) && is_known(b_kind) && a_kind != b_kind {
                    let hint = match (a_kind, b_kind) {
                        (Type::Time, Type::Text | Type::Number) | (Type::Text | Type::Number, Type::Time) => {
                            " (timestamp(...) makes a time of it)"
                        }
                        (Type::Duration, Type::Text) | (Type::Text, Type::Duration) => {
                            " (duration(...) makes a duration of a text)"
                        }
                        _ => "",
                    };
                    let message = format!("{a_kind} cannot be compared with {b_kind}{hint}");
                    return Err(Fault::new(at, message));
                }
                What::Compare(comparison, Box::new(a), Box::new(b))
            }
        };
        Ok((what, Type::Bool))
    }

    fn arithmetic(&mut self, operator: Operator, a: &IdedExpr, b: &IdedExpr, at: usize) -> Result<(What, Type), Fault> {
        let ((a, a_kind), (b, b_kind)) = (self.node(a)?, self.node(b)?);
        let kind = match (operator, a_kind, b_kind) {
            (_, Type::Null, _) | (_, _, Type::Null) => Type::Any,
            (Operator::Add, Type::Any, Type::Any) => Type::Any,
            (Operator::Add, Type::Text | Type::Any, Type::Text | Type::Any)
                if a_kind != b_kind || a_kind == Type::Text =>
            {
                Type::Text
            }
            (Operator::Add, Type::List | Type::Any, Type::List | Type::Any) => Type::List,
            (Operator::Add, Type::Time, Type::Duration | Type::Any)
            | (Operator::Add, Type::Duration | Type::Any, Type::Time)
            | (Operator::Subtract, Type::Time, Type::Duration) => Type::Time,
            (Operator::Subtract, Type::Time | Type::Any, Type::Time)
            | (Operator::Add | Operator::Subtract, Type::Duration, Type::Duration) => Type::Duration,
            (Operator::Subtract, Type::Time, Type::Any)
            | (Operator::Add | Operator::Subtract, Type::Duration, Type::Any)
            | (Operator::Add | Operator::Subtract, Type::Any, Type::Duration) => Type::Any,
            (Operator::Subtract, Type::Any, Type::Any) if may_be_time(&a) || may_be_time(&b) => Type::Any,
            (_, Type::Number | Type::Any, Type::Number | Type::Any) => Type::Number,
            _ => {
                let message = format!("{operator} has no sense between {a_kind} and {b_kind}");
                return Err(Fault::new(at, message));
            }
        };
        Ok((What::Arithmetic(operator, Box::new(a), Box::new(b)), kind))
    }

    fn fold(&mut self, fold: &ComprehensionExpr, at: usize) -> Result<Fold, Fault> {
        if fold.iter_var2.is_some() {
            return Err(Fault::new(at, "one variable is enough here"));
        }
        let (range, _) = self.list(&fold.iter_range)?;
        let (begin, _) = self.node(&fold.accu_init)?;
        let depth = self.locals.len();
        self.locals.extend([fold.iter_var.clone(), fold.accu_var.clone()]);
        let inner = [&fold.loop_cond, &fold.loop_step, &fold.result].map(|part| self.node(part));
        self.locals.truncate(depth);
        let [goes_on, step, result] = inner;
        Ok(Fold { range, begin, goes_on: goes_on?.0, step: step?.0, result: result?.0 })
    }
}

pub(super) fn left_out(at: usize, what: &str) -> Fault {
    Fault::new(at, format!("{what} is a part of CEL that is left out here"))
}

/// Whether something of which no type is known may be a time or a duration: no field is, before it is made one.
fn may_be_time(node: &Node) -> bool {
    match &node.what {
        What::Local(_) | What::Index(..) | What::Member(..) | What::Choice(_) | What::Fold(_) => true,
        What::Arithmetic(_, a, b) => may_be_time(a) || may_be_time(b),
        What::Negate(node) => may_be_time(node),
        _ => false,
    }
}

fn not_null(node: Node) -> What {
    let at = node.at;
    What::Not(Box::new(Node { at, what: What::IsNull(Box::new(node)) }))
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        _ => return None,
    })
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        _ => return None,
    })
}
