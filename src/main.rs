//! Arguments in, exit status out.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).collect();
    ExitCode::from(streamw::run::process(arguments))
}
