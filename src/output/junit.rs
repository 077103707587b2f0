//! What the checks found, as a file that CI systems show (`--report`): JUnit's XML.

/// A check and what came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// As it was typed.
    pub name: String,
    /// How often it was violated.
    pub count: u64,
    /// The first violations.
    pub first: Vec<String>,
    /// Whether violations only warn.
    pub is_warning: bool,
    /// What is counted: rows, keys, differences; nothing for a check of the whole.
    pub of: &'static str,
}

impl Outcome {
    /// In words: `true of 2 rows`.
    pub fn summary(&self) -> String {
        match (self.of, self.count) {
            ("", _) => "true".into(),
            ("true of rows", 1) => "true of 1 row".into(),
            ("true of rows", count) => format!("true of {count} rows"),
            ("another table in orders", 1) => "another table in 1 order".into(),
            ("another table in orders", count) => format!("another table in {count} orders"),
            (of, 1) => format!("1 {}", of.strip_suffix('s').unwrap_or(of)),
            (of, count) => format!("{count} {of}"),
        }
    }
}

/// The file. `failure` is why the run as such failed, if it did.
pub fn report(outcomes: &[Outcome], failure: Option<&str>, seconds: f64) -> String {
    let is_failed = |outcome: &&Outcome| outcome.count > 0 && !outcome.is_warning;
    let failures = outcomes.iter().filter(is_failed).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{}\" time=\"{seconds:.3}\"",
        outcomes.len() + 1,
        u8::from(failure.is_some())
    );
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"streamw\" {counts}>\n"
    );
    match failure {
        None => text += "    <testcase classname=\"streamw\" name=\"run\"/>\n",
        Some(why) => {
            text += &format!(
                "    <testcase classname=\"streamw\" name=\"run\">\n      <error type=\"failure\" message=\"{}\"/>\n    </testcase>\n",
                escaped(why)
            );
        }
    }
    for outcome in outcomes {
        let begin = format!("    <testcase classname=\"streamw\" name=\"{}\"", escaped(&outcome.name));
        if outcome.count == 0 {
            text += &format!("{begin}/>\n");
            continue;
        }
        let lines = escaped(&outcome.first.join("\n"));
        text += &match outcome.is_warning {
            true => format!("{begin}>\n      <system-out>{lines}</system-out>\n    </testcase>\n"),
            false => format!(
                "{begin}>\n      <failure type=\"check\" message=\"{}\">{lines}</failure>\n    </testcase>\n",
                escaped(&outcome.summary())
            ),
        };
    }
    text + "  </testsuite>\n</testsuites>\n"
}

/// Text as XML has it; what XML cannot hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' => out += "&#10;",
            '\t' => out += "&#9;",
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        assert_eq!(escaped("a<b>&\"c\"\n\u{1}\u{9b}é"), "a&lt;b&gt;&amp;&quot;c&quot;&#10;\u{fffd}\u{fffd}é");
    }
}
