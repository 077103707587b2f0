//! `streamw chaos`: opens its inputs and says what was done.

use crate::cli::chaos::Chaos;
use crate::commands;
use crate::error::{Error, Exit};
use crate::host::Host;
use crate::output::text::for_people;
use std::fs::File;
use std::io::{ErrorKind, Read};

/// Runs the command; the exit status.
pub fn run(config: &Chaos, host: Host) -> u8 {
    let Host { stdin, mut stdout, mut stderr, .. } = host;
    let mut stdin: Option<Box<dyn Read>> = Some(Box::new(stdin));
    let files = if config.files.is_empty() { vec!["-".into()] } else { config.files.clone() };
    let open = |path: &std::path::PathBuf| -> Result<Box<dyn Read>, Error> {
        let name = path.display().to_string();
        match (name.as_str(), stdin.take_if(|_| name == "-")) {
            ("-", Some(stdin)) => Ok(stdin),
            ("-", None) => Err(Error::Usage("stdin (-) is named twice, but can be read once".into())),
            _ => File::open(path)
                .map(|file| Box::new(file) as Box<dyn Read>)
                .map_err(|source| Error::File { name, source }),
        }
    };
    let inputs = files.iter().map(open).collect::<Result<Vec<_>, _>>();
    let done = inputs.and_then(|inputs| {
        let failed = |source| Error::File { name: "chaos".into(), source };
        match commands::chaos::run(config, inputs, &mut stdout) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(None),
            done => done.map(Some).map_err(failed),
        }
    });
    // Nobody may be there to read it.
    match done {
        Ok(Some(tally)) => {
            let _ = stderr.write_all(tally.line().as_bytes());
            Exit::Done.code()
        }
        Ok(None) => Exit::Done.code(),
        Err(error) => {
            let _ = writeln!(stderr, "streamw: {}", for_people(&error.to_string()));
            error.exit().code()
        }
    }
}
