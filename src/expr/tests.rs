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
        "at": "2026-03-29T00:59:59.25Z", "ms": 1_774_746_000_000_i64, "local": "2026-03-29 12:00:00",
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
        (
            "' a-b-a '.trim().replace('a', 'x') + 'b'.charAt(0) + 'abc'.substring(1) + 'abc'.substring(0, 2)",
            "x-b-xbbcab",
        ),
        (
            "'abcab'.indexOf('ab') + 'abcab'.lastIndexOf('ab') * 10 + 'abcab'.indexOf('ab', 1) * 100 + 'äb'.indexOf('b')",
            "331",
        ),
        ("'abcab'.lastIndexOf('ab', 2) + 'abc'.indexOf('x')", "-1"),
        ("'a,b,c'.split(',').join('-') + 'ab'.split('').join()", "a-b-cab"),
        ("math.trunc(-1.5) + math.sign(-3) + math.sqrt(16) + uint('7')", "9"),
        ("dyn(n) == 5 && [1, 'x'] == [1, 'x'] && [1, 2] != [2, 1] && [1] != [1, 2] && [[1]] == [[1.0]]", "true"),
        ("[null] == [null] && {'a': 1} == {'a': 1.0} && {'a': 1} != {'b': 1} && list == [1, 2, 3]", "true"),
        // Values by name.
        ("{'abc': 7, 'x': 8}[t] > n && {'abc': 7}['zz'] == null && {'a': {'b': 3}}.a.b == 3", "true"),
        ("t in {'abc': 1} && !('q' in {'abc': 1}) && size({'a': 1, 'b': 2}) == 2", "true"),
        ("{'a': 1, 'b': 2}.exists(k, k == 'b') && {'a': 1}.map(k, k + 'x')[0] == 'ax' && has({'a': 1}.a)", "true"),
        ("{t: n}.abc", "5"),
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
        ("n.startsWith('5')", "column 3: the number 5 is no text"),
        ("n && yes", "column 1: the number 5 is neither true nor false"),
        ("t * 2 > 1", "column 3: the text \"abc\" * the number 2 cannot be calculated"),
        ("double(t)", "column 1: the text \"abc\" is no number"),
        ("n[0]", "column 2: the number 5 has no members"),
        ("o.p.q", ""),
        ("list < list", "column 6: lists and objects have no order"),
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
        ("n <> 5", "column 4: there is no \"<>\"; did you mean \"!=\"?"),
        ("n => 5", "column 3: there is no \"=>\"; did you mean \">=\"?"),
        ("n === 5", "column 5: there is no \"===\"; did you mean \"==\"?"),
        ("t == “a”", "column 6: a text stands in straight quotes"),
        ("n in (1, 2)", "column 8: \",\" is not expected here; a list is written [1, 2]"),
        ("n between 1 and 2", "column 3: \"between\" is not expected here; did you mean x >= 1 && x <= 2?"),
        ("not(n)", "column 1: there is no function not; did you mean \"!\"?"),
        ("n > ", "column 5: the expression ends too early"),
        ("", "column 1: the expression ends too early"),
        ("(n > 1", "column 7: a \")\" is missing here"),
        ("n > 1)", "column 6: \")\" is not expected here"),
        ("t == 'abc", "column 6: a text begins with ' and does not end"),
        ("if > 1", "column 1: \"if\" is a word of the language; a field or column of that name is row[\"if\"]"),
        ("t.startWith('a')", "column 3: there is no function startWith; did you mean \"startsWith\"?"),
        ("t.frobnicate()", "column 3: there is no function frobnicate (known: startsWith"),
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
        ("99999999999999999999 > 1", "column 1: a number is too large"),
        ("size(t, t)", "size is given 2 values and takes 1"),
        ("b'x' == t", "bytes are a part of CEL that is left out here"),
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

#[test]
fn times_and_durations_are_those_of_cel() {
    let mut wrong = Vec::new();
    for (expression, expected) in [
        ("timestamp('2026-01-01T01:00:00Z') - timestamp('2026-01-01T00:30:00Z')", "the duration 1800s"),
        ("timestamp(at) - duration('59m59.25s')", "the time 2026-03-29T00:00:00Z"),
        ("duration('1h') + timestamp(at) > timestamp('2026-03-29T01:59:59Z')", "true"),
        ("timestamp(ms) == timestamp('2026-03-29T01:00:00Z') && timestamp(timestamp(ms)) == timestamp(ms)", "true"),
        ("timestamp(ms) - timestamp(at) < duration('1s') && timestamp(ms) != timestamp(at)", "true"),
        ("duration('1h30m') == duration('90m') && duration('1.5h') == duration('5400s')", "true"),
        ("-duration('1m') < duration('-59s') && duration('1s') - duration('2s') == -duration('1s')", "true"),
        ("duration('1d 2h') + duration('1ms') + duration('1us') + duration('-2ns')", "the duration 93600.001000998s"),
        ("string(duration('90m')) + ' ' + string(timestamp(0))", "5400s 1970-01-01T00:00:00Z"),
        ("int(timestamp(at)) == 1774745999 && int(timestamp('1969-12-31T23:59:59.5Z')) == -1", "true"),
        ("timestamp(at).getFullYear() * 10000 + timestamp(at).getMonth() * 100 + timestamp(at).getDate()", "20260229"),
        (
            "timestamp(at).getDayOfMonth() + timestamp(at).getDayOfWeek() * 100 + timestamp(at).getDayOfYear() * 1000",
            "87028",
        ),
        ("timestamp(at).getHours() * 10000 + timestamp(at).getMinutes() * 100 + timestamp(at).getSeconds()", "5959"),
        ("timestamp(at).getMilliseconds() + duration('123.321s').getMilliseconds() * 1000", "321250"),
        ("duration('25h30m').getHours() + duration('25h30m').getMinutes() + duration('-1.5s').getSeconds()", "1554"),
        ("timestamp(at).getHours('Europe/Berlin') * 100 + timestamp(ms).getHours('Europe/Berlin')", "103"),
        ("timestamp(at).getHours('-08:00') + timestamp(at).getDate('-08:00') * 100", "2816"),
        ("timestamp(at).getMinutes('+05:45')", "44"),
        ("timestamp(missing) == null && duration(missing) == null && timestamp(missing).getHours() == null", "true"),
        ("timestamp(missing) > timestamp(0) || timestamp(missing) + duration('1s') < timestamp(0)", "false"),
        ("[timestamp(ms), timestamp(at)].exists(x, timestamp(ms) - x > duration('500ms'))", "true"),
        ("[duration('1s'), duration('2s')].map(x, -x + x - x)[1] == duration('-2s')", "true"),
        ("timestamp(cell_seven).getSeconds() + timestamp(local).getHours()", "19"),
        // Beyond what can be.
        (
            "timestamp('2262-01-01T00:00:00Z') + duration('8760h')",
            "column 35: a time is outside the years 1677 to 2262",
        ),
        ("duration('200000d')", "column 1: the text \"200000d\" is too long"),
        ("duration('100000d') + duration('100000d')", "column 21: a duration is longer than 292 years"),
    ] {
        if !said(expression).ends_with(expected) {
            wrong.push(format!("{expression}: {}", said(expression)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_left_out_or_makes_no_sense_says_so_by_name_and_place() {
    let mut wrong = Vec::new();
    for (expression, place, words) in [
        ("timestamp('2026-13-01T00:00:00Z') < timestamp(at)", 1, "the text \"2026-13-01T00:00:00Z\" is not a time"),
        ("n > 1 && duration('1 hour') > duration('1s')", 10, "is no duration, such as \"1h30m\""),
        ("timestamp(t) > timestamp(0)", 1, "the text \"abc\" is not a time"),
        (
            "timestamp(at) > '2026-01-01'",
            15,
            "a time cannot be compared with a text (timestamp(...) makes a time of it)",
        ),
        ("at > timestamp(0)", 4, "(timestamp(...) makes a time of it)"),
        ("duration('1s') > 5", 16, "a duration cannot be compared with a number"),
        ("timestamp(at) + 5 > timestamp(0)", 15, "+ has no sense between a time and a number"),
        ("timestamp(at) + timestamp(at) > timestamp(0)", 15, "+ has no sense between a time and a time"),
        ("timestamp(at) * 2 > timestamp(0)", 15, "* has no sense between"),
        ("timestamp(yes) > timestamp(0)", 1, "true is no time"),
        ("timestamp(true) > timestamp(0)", 1, "timestamp(...) needs a text or a number"),
        ("timestamp() > timestamp(0)", 1, "timestamp is given 0 values and takes 1 value"),
        ("at.getHours() > 3", 4, "timestamp(...) makes one of it"),
        ("'x'.getHours() > 3", 5, "getHours needs a time, and this is a text"),
        ("duration('1h').getMonth() > 3", 16, "has no day, month or year"),
        ("timestamp(at).getHours('Europe/Berlim') > 3", 24, "did you mean \"Europe/Berlin\""),
        ("timestamp(at).getHours(t) > 3", 24, "takes a zone in quotes"),
        ("timestamp(at).getHours('+1:00') > 3", 24, "is no offset, such as +01:00"),
        ("getHours(timestamp(at)) > 3", 1, "write value.getHours(...)"),
        ("at.timestamp() > timestamp(0)", 4, "write timestamp(...)"),
        ("type(n) == 'x'", 1, "type(...) is a part of CEL that is left out here"),
        ("n == 5 && bytes(t) == t", 11, "bytes(...) is a part of CEL that is left out here"),
        ("b'abc' == t", 1, "bytes are a part of CEL that is left out here"),
        ("math.bitAnd(n, 1) == 1", 1, "math.bitAnd(...) is a part of CEL that is left out here"),
        ("cel.bind(x, n, x > 1)", 1, "cel.bind(...) is a part of CEL that is left out here"),
        ("Card{n: 1} == n", 1, "a message Card{...} is a part of CEL that is left out here"),
        ("{1: 2}[n] == 2", 2, "names in braces are texts, and this is a number"),
        ("{n: 2}[t] == 2", 2, "the number 5 is no name"),
        ("{'a': 1, 'a': 2}.a == 2", 10, "stands twice in the braces"),
        ("[1] < [2]", 5, "lists and objects have no order"),
        ("len(t) > 2", 1, "did you mean \"size\""),
        ("t.lower() == 'a'", 3, "did you mean \"lowerAscii\""),
        ("isNull(t)", 1, "did you mean \"== null\""),
        ("t.substring(5) == ''", 3, "from 5 to 3 is no part of a text of 3"),
        ("t.charAt(9) == ''", 3, "9 is beyond a text of 3"),
        ("t.charAt(-1) == ''", 3, "is no place in a text"),
        ("uint(-n) > 1", 1, "is below 0"),
        ("math.sqrt(-n) > 1", 1, "has no square root"),
        ("t.substring() == ''", 3, "substring is given 0 values and takes 1 or 2 values"),
        ("size(n, t) > 1", 1, "size is given 2 values and takes 1 value"),
        ("has(n)", 5, "as in has(user.name); whether a field or column is there: n != null"),
    ] {
        let (at, got) = (format!("'{expression}', column {place}: "), said(expression));
        if !(got.starts_with(&at) && got.contains(words)) {
            wrong.push(got);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
