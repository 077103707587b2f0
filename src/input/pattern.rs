//! `regex:RE`: lines taken apart by a regular expression with named groups.

use super::lines::{FindFields, LineDecoder, Side, first_line};
use super::record::{Found, Refusal};
use super::{Decode, FirstRecord, Format, Layout, Reading, columns};
use crate::error::Error;
use crate::event::{Reason, TextSpan};
use regex::bytes::{CaptureLocations, Regex};
use std::sync::Arc;

/// The format: an expression, searched anywhere in the line unless it is anchored.
pub struct Pattern {
    regex: Regex,
    /// The named groups.
    names: Vec<String>,
    /// Their numbers.
    groups: Vec<usize>,
}

impl Pattern {
    /// Reads an expression.
    ///
    /// # Errors
    /// A message for people.
    pub fn parse(expression: &str) -> Result<Pattern, String> {
        let regex = Regex::new(expression).map_err(|error| error.to_string())?;
        let named = regex.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?.to_owned())));
        let (groups, names): (Vec<_>, Vec<_>) = named.unzip();
        if names.is_empty() {
            return Err(format!("\"{expression}\" has no named group, such as (?<time>\\S+)"));
        }
        Ok(Pattern { regex, names, groups })
    }
}

impl Format for Pattern {
    fn first_record(&self, bytes: &[u8], _layout: &Layout, max_line: usize) -> Option<FirstRecord> {
        first_line(bytes, max_line, &self.names)
    }

    fn decoder(&self, input: Reading<'_>) -> Result<Arc<dyn Decode>, Error> {
        let wanted = columns(&input)?;
        let groups = wanted.into_iter().map(|name| self.groups[name]).collect();
        let find = Fields { regex: self.regex.clone(), groups };
        Ok(Arc::new(LineDecoder::new(find, input.projection, input.max_line)))
    }

    fn name(&self) -> String {
        "regex".into()
    }

    fn fields_vary(&self) -> bool {
        false
    }
}

struct Fields {
    regex: Regex,
    /// Per field, its group.
    groups: Vec<usize>,
}

impl FindFields for Fields {
    type Scratch = Option<CaptureLocations>;

    fn find(
        &self,
        line: &[u8],
        base: usize,
        fields: &mut [Found],
        _side: &mut Side<'_>,
        scratch: &mut Option<CaptureLocations>,
    ) -> Result<(), Refusal> {
        let locations = scratch.get_or_insert_with(|| self.regex.capture_locations());
        if self.regex.captures_read(locations, line).is_none() {
            return Err((Reason::Format, "the expression does not match".to_owned()));
        }
        for (field, group) in fields.iter_mut().zip(&self.groups) {
            *field = match locations.get(*group) {
                Some((start, end)) => Found::Cell(TextSpan { start: (base + start) as u32, len: (end - start) as u32 }),
                None => Found::Missing,
            };
        }
        Ok(())
    }
}
