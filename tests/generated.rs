//! What is generated from the flags and committed is what the program generates now.
//! `UPDATE=1 cargo test` writes it anew.

use crate::util::Streamw;
use std::path::Path;

const GENERATED: &[(&str, &str)] = &[
    ("man/streamw.1", "man"),
    ("completions/streamw.bash", "completions bash"),
    ("completions/_streamw", "completions zsh"),
    ("completions/streamw.fish", "completions fish"),
    ("completions/streamw.elv", "completions elvish"),
    ("completions/_streamw.ps1", "completions powershell"),
];

#[test]
fn man_page_and_completions_are_what_the_binary_generates() {
    for (file, command) in GENERATED {
        let generated = Streamw::new().args(command).run();
        assert_eq!(generated.status, 0, "streamw {command}: {}", generated.stderr);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &generated.stdout).expect("the file can be written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == generated.stdout, "{file} is out of date; run: UPDATE=1 cargo test generated");
    }
}

#[test]
fn every_flag_has_a_help_a_man_entry_and_a_completion() {
    let man = Streamw::new().args("man").run().stdout.replace('\\', "");
    let bash = Streamw::new().args("completions bash").run().stdout;
    let help = Streamw::new().args("--help").run().stdout;
    for flag in streamw::cli::command().get_arguments().filter_map(clap_long) {
        for (place, text) in [("the help", &help), ("the man page", &man), ("the completions", &bash)] {
            assert!(text.contains(&flag), "{flag} is missing in {place}");
        }
    }
    assert!(help.starts_with("Examples:"), "--help begins with examples");
    let examples = help.split("Usage:").next().unwrap_or_default();
    assert_eq!(examples.lines().filter(|line| line.starts_with("    ") && line.contains("streamw ")).count(), 3);
}

fn clap_long(argument: &clap::Arg) -> Option<String> {
    argument.get_long().map(|long| format!("--{long}"))
}
