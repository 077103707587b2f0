//! What CEL's parser has against an expression, in words for people.

use super::Fault;
use cel::parser::ParseErrors;

/// The parser's first error in words for people.
pub(super) fn mistake(source: &str, errors: &ParseErrors) -> Fault {
    let Some(error) = errors.errors.iter().min_by_key(|error| error.pos) else {
        return Fault::new(0, "this is no expression");
    };
    let (line, column) = (error.pos.0.max(1) as usize - 1, error.pos.1.max(1) as usize - 1);
    let before: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(before..).unwrap_or_default();
    let at = before + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
    let (before, rest) = source.split_at_checked(at).unwrap_or((source, ""));
    Fault::new(at, reworded(&error.msg, before, rest))
}

fn reworded(message: &str, before: &str, rest: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let word = rest.split(|c: char| c.is_whitespace() || "()[]{},".contains(c)).next().unwrap_or_default();
    let instead = match word.to_ascii_lowercase().as_str() {
        "and" | "&" => "; did you mean \"&&\"?",
        "or" | "|" => "; did you mean \"||\"?",
        "not" => "; did you mean \"!\"?",
        "=" => "; did you mean \"==\"?",
        "is" => "; did you mean \"==\"?",
        "between" => "; did you mean x >= 1 && x <= 2?",
        "like" | "~" | "=~" => "; did you mean .matches(\"...\")?",
        _ => "",
    };
    if let Some(word) = message.strip_prefix("reserved identifier: ") {
        return format!("\"{word}\" is a word of the language; a field or column of that name is row[\"{word}\"]");
    }
    if message == "invalid argument to has() macro" {
        let name = rest.trim_start_matches('(').split(')').next().unwrap_or_default().trim();
        let name = if name.is_empty() || name.len() > 40 { "x" } else { name };
        return format!(
            "has(...) takes a member, as in has(user.name); whether a field or column is there: {name} != null"
        );
    }
    if message.starts_with("invalid int") || message.starts_with("invalid double") {
        return "a number is too large".into();
    }
    if message.contains("missing ')'") || message.contains("missing ']'") {
        return format!("a {} is missing here", if message.contains(")'") { "\")\"" } else { "\"]\"" });
    }
    let is_syntax = ["token recognition", "mismatched", "extraneous", "no viable", "missing"];
    if !is_syntax.iter().any(|kind| message.starts_with(kind)) {
        return message.to_owned();
    }
    if rest.trim().is_empty() {
        return "the expression ends too early".into();
    }
    match rest.chars().next() {
        Some(quote @ ('\'' | '"')) if message.starts_with("token") => {
            format!("a text begins with {quote} and does not end")
        }
        Some('“' | '”' | '„' | '‘' | '’') => "a text stands in straight quotes, ' or \"".into(),
        Some('>') if before.ends_with('<') => "there is no \"<>\"; did you mean \"!=\"?".into(),
        Some('=') if rest.starts_with("=>") => "there is no \"=>\"; did you mean \">=\"?".into(),
        Some('=') if before.ends_with("==") => "there is no \"===\"; did you mean \"==\"?".into(),
        Some(',') if before.contains(" in (") => "\",\" is not expected here; a list is written [1, 2]".into(),
        Some('=') if !rest.starts_with("==") => "\"=\" is no comparison; did you mean \"==\"?".into(),
        Some(_) if word.is_empty() => format!("\"{}\" is not expected here", &rest[..1]),
        _ => format!("\"{word}\" is not expected here{instead}"),
    }
}
