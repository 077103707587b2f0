//! The expression language of filters and checks: CEL's syntax over fields and columns.
//!
//! [`syntax`] reads an expression and checks what can be checked beforehand; [`evaluate`] takes it apart node by node;
//! [`quick`] has the common shapes of conditions compiled, for those who ask a million times a second.
//!
//! The language is CEL (cel.dev) but for this: numbers are of one kind, decimal and exact as in N1, and `/` is real
//! division; a comparison with null is false, and so is any test of a text that is null, while arithmetic with null is
//! null; fields and columns that are no identifiers are `row["..."]`. What has no sense - a text below a number, a
//! division by zero - is a [`Fault`], and never a silent yes or no.

mod arithmetic;
mod call;
mod evaluate;
mod function;
mod mistake;
mod moment;
mod quick;
mod syntax;
mod value;

pub use moment::{Times, seconds, written};
pub use syntax::{Scope, parse};
pub use value::{Type, Value, compare_numbers, digits};

use crate::event::number::Number;
use crate::time::{Span, Timestamp};
use call::Function;
use quick::Test;
use std::fmt;

/// An expression that makes sense, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Program {
    source: String,
    root: Node,
    /// The same, compiled as a condition.
    test: Test,
    /// What it yields, as far as that is known.
    kind: Type,
    /// The slots it looks at, each once, in order.
    slots: Vec<usize>,
}

/// Why something could not be evaluated, and where in the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the expression before the place.
    pub at: usize,
    /// What is wrong there, for people.
    pub message: String,
}

/// Where the values of an expression's names are found.
pub trait Lookup {
    /// The value of a name, by the slot that its [`Scope`] gave it.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    fn value(&self, slot: usize) -> Result<Value<'_>, String>;
}

/// What is found in an expression, and where.
#[derive(Clone, Debug)]
struct Node {
    at: usize,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Slot(usize),
    /// A variable of an enclosing [`Fold`], counted from the outermost.
    Local(usize),
    Member(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Choice(Box<[Node; 3]>),
    IsNull(Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    Arithmetic(Operator, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    Time(Timestamp),
    Duration(Span),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Fold(Box<Fold>),
    /// Whether something is true, or cannot be said.
    NotFalse(Box<Node>),
}

/// What CEL's macros `all`, `exists`, `exists_one`, `map` and `filter` are made of: a value that is carried over the
/// members of a list.
#[derive(Clone, Debug)]
struct Fold {
    range: Node,
    begin: Node,
    goes_on: Node,
    step: Node,
    result: Node,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// What is done to two numbers; `+` also joins texts and lists, and `+` and `-` move times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Program {
    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it yields, as far as that is known beforehand.
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// The slots it looks at, each once, in order.
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// What it says as a condition; null says no.
    ///
    /// # Errors
    /// What could not be evaluated.
    #[inline]
    pub fn is_true(&self, lookup: &impl Lookup) -> Result<bool, Fault> {
        self.test.is_true(lookup)
    }

    /// What it yields.
    ///
    /// # Errors
    /// What could not be evaluated.
    pub fn value<'a>(&'a self, lookup: &'a impl Lookup) -> Result<Value<'a>, Fault> {
        self.root.value(lookup, &mut Vec::new())
    }

    /// A fault for people: where in which expression, and what.
    pub fn explain(&self, fault: &Fault) -> String {
        fault.of(&self.source)
    }
}

impl Fault {
    fn new(at: usize, message: impl Into<String>) -> Fault {
        Fault { at, message: message.into() }
    }

    /// The fault and its place in the expression, for people.
    pub fn of(&self, source: &str) -> String {
        let column = source.get(..self.at).map_or(0, |before| before.chars().count()) + 1;
        format!("'{source}', column {column}: {}", self.message)
    }
}

impl Comparison {
    /// Whether it holds of two values in this order.
    #[inline]
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
        }
    }

    /// The same of the values turned round.
    fn turned(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
        })
    }
}

#[cfg(test)]
mod tests;
