//! `streamw man`.

use crate::cli;
use crate::error::Exit;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// The manual page, as roff.
pub fn page() -> Vec<u8> {
    let man = Man::new(cli::command()).date("").source(concat!("streamw ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = man.render(&mut page);
    let mut rest = Roff::new();
    rest.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in Exit::TABLE {
        rest.control("TP", []).text([bold(*code)]).text([roman(*meaning)]);
    }
    rest.control("SH", ["EXAMPLES"]);
    for example in cli::EXAMPLES {
        rest.control("TP", []).text([roman(example.what)]).text([bold(example.command)]);
    }
    let _ = rest.to_writer(&mut page);
    page
}
