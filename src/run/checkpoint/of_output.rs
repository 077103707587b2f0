//! What a checkpoint holds of rows that are out already: what later ones are judged by, or shown with.

use crate::cli::Config;
use crate::codec::{Damaged, Reader, put_bytes};
use crate::output::Encoder;
use crate::output::side::Output;

/// What is kept of rows: by what looks at them, and by a picture of the newest of them.
pub fn save(output: &Output, with_violations: bool) -> Vec<u8> {
    let mut of_gate = Vec::new();
    output.gate().iter().for_each(|gate| gate.save(with_violations, &mut of_gate));
    if !output.is_picture() {
        return of_gate;
    }
    let mut out = Vec::new();
    put_bytes(&mut out, &of_gate);
    output.save_picture(&mut out);
    out
}

/// The other way round. Returns the encoder if it is not a new one. The format of rows is the same: it is a setting.
///
/// # Errors
/// Nobody can have saved this for these flags.
pub fn restore(config: &mut Config, bytes: &[u8]) -> Result<Option<Box<dyn Encoder>>, Damaged> {
    let mut encoder = config.row_format.encoder(config.shape.clone(), config.row_paint);
    let (mut of_gate, mut restored) = (bytes, None);
    if encoder.is_picture() {
        let mut bytes = Reader::new(bytes);
        of_gate = bytes.bytes()?;
        encoder.restore(&mut bytes)?;
        bytes.end()?;
        restored = Some(encoder);
    }
    if let Some(gate) = config.gate.as_mut().filter(|_| !of_gate.is_empty()) {
        gate.restore(of_gate)?;
    }
    Ok(restored)
}
