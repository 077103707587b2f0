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
    let mut status = Roff::new();
    status.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in Exit::TABLE {
        status.control("TP", []).text([bold(*code)]).text([roman(*meaning)]);
    }
    let _ = status.to_writer(&mut page);
    page
}
