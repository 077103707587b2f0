//! What is wanted of a record: the event time, the keys, the values.

use crate::expr::Program;
use crate::time::parse::{TimeFormat, TimeRules};
use crate::time::year::YearRule;
use crate::time::zone::Zone;
use std::borrow::Cow;

/// A field as named on the command line: a top-level name, a dotted path, or a JSON Pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As given.
    pub name: String,
    /// The path that is looked up if there is no top-level name equal to `name`.
    pub path: Vec<String>,
    /// Whether `name` itself may be a top-level name (it may not if it is a pointer).
    pub is_name: bool,
}

impl Field {
    /// Reads a field name.
    ///
    /// # Errors
    /// A message for people, if the name is empty.
    pub fn parse(name: &str) -> Result<Field, String> {
        if name.is_empty() {
            return Err("a field name is missing".into());
        }
        Ok(match name.strip_prefix('/') {
            Some(pointer) => Field {
                name: name.into(),
                path: pointer.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect(),
                is_name: false,
            },
            None => Field { name: name.into(), path: name.split('.').map(str::to_owned).collect(), is_name: true },
        })
    }

    /// What is looked for, for people: the name as given, or the field that stands in for it (see
    /// [`Projection::stand_in`]).
    pub fn sought(&self) -> Cow<'_, str> {
        match self.is_name || self.name.starts_with('/') {
            true => Cow::Borrowed(&self.name),
            false => Cow::Owned(self.path.join(".")),
        }
    }

    /// Whether a flat record's column of this name is meant. A pointer means the column it spells
    /// out, too, so that `/a.b` works in any format.
    pub fn is_column(&self, column: &str) -> bool {
        self.name == column || matches!(self.path.as_slice(), [only] if only == column)
    }
}

/// A field that aggregates look at, and in which form.
#[derive(Clone, Debug)]
pub struct ValueField {
    /// The field.
    pub field: Field,
    /// Whether any aggregate wants numbers: then a value that is none makes a bad record (N3).
    pub as_number: bool,
    /// Whether any aggregate wants the value as read.
    pub as_value: bool,
}

/// All that is wanted of a record.
#[derive(Clone, Debug)]
pub struct Projection {
    /// The event-time field (`-t`).
    pub time: Field,
    /// Whether the time is that of the arrival instead (`-t @now`), and no field is looked at.
    pub time_is_arrival: bool,
    /// How it is read.
    pub time_rules: TimeRules,
    /// The parts of the key.
    pub keys: Vec<Field>,
    /// The fields of aggregates, each once.
    pub values: Vec<ValueField>,
    /// The field that tells duplicates (`--dedup`).
    pub dedup: Option<Field>,
    /// Whose each record is (`--partition`).
    pub partition: Option<Field>,
    /// What makes a record punctuation: a time to which the watermark moves (`--punctuate`).
    pub punctuate: Option<Field>,
    /// Which records are events (`--where`).
    pub filter: Option<Filter>,
    /// Fields that are computed (`--let`), in order; each may look at those before it.
    pub lets: Vec<Let>,
    /// Texts that mean null (`--null`).
    pub nulls: Vec<String>,
}

/// A field that no record has, and that is computed of others.
#[derive(Clone, Debug)]
pub struct Let {
    /// Its name.
    pub name: String,
    /// What it says; its slots are indices of `places`.
    pub program: Program,
    /// Where its fields stand among [`Projection::fields`].
    pub places: Vec<usize>,
    /// Those of them that nobody else wants.
    pub fields: Vec<Field>,
    /// Where its value is wanted. There the decoders find another field, which is written over.
    pub targets: Vec<usize>,
}

/// A condition on records.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The condition; its slots are indices of `places`.
    pub program: Program,
    /// Where its fields stand among [`Projection::fields`].
    pub places: Vec<usize>,
    /// Those of them that nobody else wants, which come last.
    pub fields: Vec<Field>,
    /// Whether records that do not pass move nothing, not even the watermark (`--where-first`).
    pub is_first: bool,
}

impl Projection {
    /// Nothing but the event time, in this field, in any spelling, in UTC.
    pub fn of_times(time: Field) -> Projection {
        Projection {
            time,
            time_is_arrival: false,
            time_rules: TimeRules { format: TimeFormat::Auto, zone: Zone::utc(), year: YearRule::Written },
            keys: Vec::new(),
            values: Vec::new(),
            dedup: None,
            partition: None,
            punctuate: None,
            filter: None,
            lets: Vec::new(),
            nulls: Vec::new(),
        }
    }

    /// Has the decoders look for another field wherever one of this name is wanted.
    pub fn stand_in(&mut self, name: &str, other: &Field) {
        let values = self.values.iter_mut().map(|value| &mut value.field);
        let marks = [&mut self.dedup, &mut self.partition, &mut self.punctuate].into_iter().flatten();
        for field in std::iter::once(&mut self.time).chain(&mut self.keys).chain(values).chain(marks) {
            if field.name == name {
                *field = other.clone();
            }
        }
    }

    /// How many fields come after the values and before those of expressions: the id, the partition, the punctuation.
    pub fn marks(&self) -> usize {
        [&self.dedup, &self.partition, &self.punctuate].into_iter().flatten().count()
    }

    /// All fields, in the order of [`EventBatch::seen`](super::EventBatch::seen): the time (unless it is the
    /// arrival), the keys, the values, the id, the partition, the punctuation, those of computed fields and
    /// of the filter alone.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        let time = (!self.time_is_arrival).then_some(&self.time);
        let values = self.values.iter().map(|value| &value.field);
        time.into_iter()
            .chain(&self.keys)
            .chain(values)
            .chain(&self.dedup)
            .chain(&self.partition)
            .chain(&self.punctuate)
            .chain(self.lets.iter().flat_map(|computed| &computed.fields))
            .chain(self.filter.iter().flat_map(|filter| &filter.fields))
    }
}
