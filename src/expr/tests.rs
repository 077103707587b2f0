//! What expressions say, and what is said of mistakes in them.

use super::*;
use std::cell::RefCell;

/// Names are taken as they come; their values are those of a JSON object.
struct Record {
    values: serde_json::Value,
    names: RefCell<Vec<String>>,
}

struct Names<'a>(&'a Record);

impl Scope for Names<'_> {
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String> {
        if name.starts_with("no_") {
            return Err(format!("there is no \"{name}\""));
        }
        let kind = match name {
            "a_number" => Type::Number,
            "a_text" => Type::Text,
            _ => Type::Any,
        };
        let mut names = self.0.names.borrow_mut();
        names.push(name.to_owned());
        Ok((names.len() - 1, kind))
    }
}

impl Lookup for Record {
    fn value(&self, slot: usize) -> Result<Value<'_>, String> {
        let name = self.names.borrow()[slot].clone();
        if let Some(cell) = name.strip_prefix("cell_") {
            return Ok(self.values[cell].as_str().filter(|cell| !cell.is_empty()).map_or(Value::Null, Value::Cell));
        }
        let value = name.split('.').try_fold(&self.values, |value, part| value.get(part));
        Ok(value.map_or(Value::Null, |value| Value::of_json(value.to_string().as_bytes()).expect("JSON")))
    }
}

/// What an expression says of some values, or the fault, as text.
fn said(expression: &str) -> String {
    let values = serde_json::json!({
        "n": 5, "half": 0.5, "zero": 0, "big": 9_007_199_254_740_993_i64, "t": "abc", "digits": "12", "yes": true, "no": false,
        "list": [1, 2, 3], "texts": ["a", "b"], "o": {"p": 1, "q": {"r": "deep"}}, "empty": "", "seven": "007", "word": "x",
    });
    let record = Record { values, names: RefCell::default() };
    let program = match parse(expression, &mut Names(&record)) {
        Ok(program) => program,
        Err(fault) => return fault.of(expression),
    };
    let shown = |value: Value<'_>| match value {
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".into(),
        Value::Number(number) => value::digits(&number),
        Value::Text(text) => text.into_owned(),
        other => format!("{other}"),
    };
    let value = program.value(&record);
    // The compiled condition says the same.
    match (&value, program.is_true(&record)) {
        (Ok(Value::Bool(value)), compiled) => assert_eq!(compiled, Ok(*value), "{expression}"),
        (Err(fault), compiled) => assert_eq!(compiled.as_ref(), Err(fault), "{expression}"),
        _ => {}
    }
    match value {
        Ok(value) => shown(value),
        Err(fault) => program.explain(&fault),
    }
}

#[test]
fn expressions_say_what_cel_says() {
    for (expression, expected) in [
        ("n < 6", "true"),
        ("6 > n", "true"),
        ("n >= 5 && n <= 5 && n == 5 && !(n != 5)", "true"),
        ("n in [1, 5]", "true"),
        ("t in ['x', 'abc']", "true"),
        ("t in ['x', 'y']", "false"),
        ("t.startsWith('ab') && t.endsWith(\"bc\") && t.contains('b') && t.matches('^a.c$')", "true"),
        ("t < 'abd'", "true"),
        ("yes && !no || zero > 1", "true"),
        ("yes ? 'x' : 'y'", "x"),
        ("n + 2 * 3 - 1", "10"),
        ("-n + 1", "-4"),
        ("n % 3", "2"),
        ("t + 'd'", "abcd"),
        ("size(t) + t.size() + size(list)", "9"),
        ("list.all(x, x > 0) && list.exists(x, x == 3) && !list.exists_one(x, x > 1)", "true"),
        ("list.map(x, x * 2)[2] == 6 && size(list.filter(x, x > 1)) == 2", "true"),
        ("o.p == 1 && o.q.r == 'deep' && has(o.q) && !has(o.z)", "true"),
        ("list[0] + list[2]", "4"),
        ("row[\"o.p\"]", "1"),
        ("texts[1]", "b"),
        ("string(n) + 'x'", "5x"),
        ("double(digits) + int('7')", "19"),
        ("int(7.9) + int(-7.9)", "0"),
        ("math.floor(-1.5) + math.ceil(1.2) + math.round(2.5) + math.abs(-4)", "7"),
        ("math.greatest(1, n, 3) - math.least(4, 2)", "3"),
        ("' a '.trim() + 'B'.lowerAscii() + 'c'.upperAscii()", "abC"),
        // A side that decides does so whatever the other is.
        ("no && t < 1", "false"),
        ("t < 1 && no", "false"),
        ("yes || t < 1", "true"),
        ("t < 1 || yes", "true"),
    ] {
        assert_eq!(said(expression), expected, "{expression}");
    }
}

#[test]
fn n1_numbers_are_exact_and_division_is_real() {
    for (expression, expected) in [
        ("0.1 + 0.2 == 0.3", "true"),
        ("half * 2 == 1", "true"),
        ("n / 2", "2.5"),
        ("6 / 3", "2"),
        ("0.3 / 3 == 0.1", "true"),
        ("big + 0 == 9007199254740993 && big != 9007199254740992", "true"),
        ("1.5e3 == 1500", "true"),
        ("-1.5 < -1", "true"),
        ("5.5 % 2", "1.5"),
        ("9223372036854775807 + 1", "9223372036854775808"),
        ("1u + 0x10", "17"),
    ] {
        assert_eq!(said(expression), expected, "{expression}");
    }
}

#[test]
fn a_comparison_with_null_is_false() {
    for (expression, expected) in [
        ("x < 5", "false"),
        ("x >= 5", "false"),
        ("x == 5", "false"),
        ("x != 5", "false"),
        ("x == y", "false"),
        ("x in [1]", "false"),
        ("x in ['a']", "false"),
        ("x.startsWith('a') || x.matches('a')", "false"),
        ("x + 1", "null"),
        ("-x", "null"),
        ("x.size()", "null"),
        ("x + 1 > 0", "false"),
        ("!x && (x ? false : true)", "true"),
        ("x == null && n != null && null == x", "true"),
        ("x.y.z == null", "true"),
        ("x[0]", "null"),
        ("x.all(e, e > 1)", "null"),
        ("list[7] == null && list[-1] == null", "true"),
        ("empty == ''", "true"),
        ("cell_empty == ''", "false"),
    ] {
        assert_eq!(said(expression), expected, "{expression}");
    }
}

#[test]
fn n3_a_cell_is_a_number_where_one_is_needed() {
    for (expression, expected) in [
        ("cell_digits > 5", "true"),
        ("cell_digits == '12'", "true"),
        ("cell_digits < '2'", "true"),
        ("cell_digits + 1", "13"),
        ("cell_digits * cell_digits", "144"),
        ("cell_digits + 'x'", "12x"),
        ("cell_seven == 7 && cell_seven == '007'", "true"),
        ("cell_digits in [12, 13] && cell_digits in ['12']", "true"),
        ("cell_digits > cell_seven", "true"),
        ("cell_word > cell_digits", "true"),
        ("cell_word == 5", "'cell_word == 5', column 11: the text \"x\" and the number 5 are of unequal types"),
        ("cell_word + 1", "'cell_word + 1', column 11: the text \"x\" + the number 1 cannot be calculated"),
    ] {
        assert!(said(expression).starts_with(expected), "{expression}: {}", said(expression));
    }
}

#[test]
fn what_cannot_be_evaluated_is_a_fault_at_its_column() {
    for (expression, expected) in [
        ("n > 1 && t < 1", "column 12: the text \"abc\" and the number 1 are of unequal types and cannot be compared"),
        (
            "digits == 12",
            "column 8: the text \"12\" and the number 12 are of unequal types and cannot be compared (double(",
        ),
        ("n == yes", "column 3: the number 5 and true are of unequal types"),
        ("n in ['a']", "column 3: the number 5 and the text \"a\" are of unequal types"),
        ("1 / zero > 1", "column 3: a division by zero"),
        ("n % zero", "column 3: a division by zero"),
        ("n.startsWith('5')", "column 13: the number 5 is no text"),
        ("n && yes", "column 1: the number 5 is neither true nor false"),
        ("t * 2 > 1", "column 3: the text \"abc\" * the number 2 cannot be calculated"),
        ("double(t)", "column 7: the text \"abc\" is no number"),
        ("n[0]", "column 2: the number 5 has no members"),
        ("o.p.q", ""),
        ("list == list", "column 6: a list and a list are of unequal types"),
        ("'é' != t && list < 1", "column 18: a list and the number 1"),
    ] {
        assert!(said(expression).contains(expected), "{expression}: {}", said(expression));
    }
}

#[test]
fn mistakes_are_told_with_their_column_and_what_was_meant() {
    for (expression, expected) in [
        ("no_count < 1", "column 1: there is no \"no_count\""),
        ("n > 1 && no_x.y", "column 10: there is no \"no_x.y\""),
        ("n = 5", "column 3: \"=\" is no comparison; did you mean \"==\"?"),
        ("n > 1 and n < 2", "column 7: \"and\" is not expected here; did you mean \"&&\"?"),
        ("n > 1 & n < 2", "column 7: \"&\" is not expected here; did you mean \"&&\"?"),
        ("n > ", "column 5: the expression ends too early"),
        ("", "column 1: the expression ends too early"),
        ("(n > 1", "column 7: a \")\" is missing here"),
        ("n > 1)", "column 6: \")\" is not expected here"),
        ("t == 'abc", "column 6: a text begins with ' and does not end"),
        ("if > 1", "column 1: \"if\" is a word of the language; a field or column of that name is row[\"if\"]"),
        ("t.startWith('a')", "column 12: there is no function startWith; did you mean \"startsWith\"?"),
        ("t.frobnicate()", "(known: startsWith"),
        ("startsWith(t, 'a')", "write value.startsWith(...)"),
        ("t.double()", "write double(...)"),
        ("t.matches('(')", "column 11: \"(\" is no regular expression: unclosed group"),
        ("t.matches(t)", "matches takes an expression in quotes"),
        ("a_number < 'x'", "column 10: a number cannot be compared with a text"),
        ("a_text + 1", "column 8: + has no sense between a text and a number"),
        ("a_number && yes", "column 1: a condition is needed here, and this is a number"),
        ("-a_text > 1", "- needs a number"),
        ("n in 5", "\"in\" needs a list"),
        ("row[n] > 1", "row[...] takes a name in quotes"),
        ("{'a': 1}", "objects in braces are not known here"),
        ("99999999999999999999 > 1", "column 1: a number is too large"),
        ("size(t, t)", "size is given 2 values and takes 1"),
        ("b'x' == t", "bytes are not known here"),
    ] {
        assert!(said(expression).contains(expected), "{expression}: {}", said(expression));
    }
    let deep = "(".repeat(10_000) + "1" + &")".repeat(10_000);
    assert!(said(&deep).contains("nested too deeply"));
}

#[test]
fn a_condition_is_no_number() {
    let record = Record { values: serde_json::Value::Null, names: RefCell::default() };
    let program = |text: &str| parse(text, &mut Names(&record)).expect(text).condition();
    assert!(program("n > 1").is_ok() && program("n").is_ok());
    let fault = program("1 + a_number").expect_err("a number");
    assert_eq!(
        fault.of("1 + a_number"),
        "'1 + a_number', column 3: a condition is needed, such as count > 100, and this is a number"
    );
}
